//! Headers that an answer gets beside those of its own: for other origins, and by the rules of the operator.
//!
//! As in Jetty they come before the answer is made: first those for other origins, then the rules one after another, and a header
//! that the answer itself sets takes the place of all of its name. Every answer has them, errors included; one that another
//! worker gave gets those of this one.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use wharf_runtime::config::{CrossOrigin, HeaderRule, HeaderRuleValue, RestConfig};
use wharf_runtime::logging::timestamp;

use crate::cors;

/// Puts them around routes, where there are any.
pub(crate) fn around(routes: Router, config: &RestConfig) -> Router {
    let added = Added {
        cross_origin: config.cross_origin.clone(),
        rules: config.response_headers.iter().filter_map(Rule::of).collect(),
    };
    if added.cross_origin.is_none() && added.rules.is_empty() {
        return routes;
    }
    routes.layer(from_fn_with_state(Arc::new(added), apply))
}

struct Added {
    cross_origin: Option<CrossOrigin>,
    rules: Vec<Rule>,
}

struct Rule {
    name: HeaderName,
    value: Value,
    adds: bool,
}

enum Value {
    Text(HeaderValue),
    Date(i64),
}

impl Rule {
    /// Nothing for what frames a body: only its sender knows that.
    fn of(rule: &HeaderRule) -> Option<Self> {
        // the rule was refused at the start if its name is none
        let name = HeaderName::from_bytes(rule.name.as_bytes()).ok()?;
        if name == header::CONTENT_LENGTH || name == header::TRANSFER_ENCODING {
            return None;
        }
        Some(Self {
            name,
            value: match &rule.value {
                HeaderRuleValue::Text(text) => Value::Text(latin1(text)?),
                HeaderRuleValue::Date(offset) => Value::Date(*offset),
            },
            adds: rule.adds,
        })
    }
}

/// A header's bytes: ISO-8859-1, and a blank for what that lacks or HTTP forbids.
fn latin1(text: &str) -> Option<HeaderValue> {
    let bytes: Vec<u8> = text
        .chars()
        .map(|c| match u8::try_from(c) {
            Ok(byte) if byte == b'\t' || !byte.is_ascii_control() => byte,
            _ => b' ',
        })
        .collect();
    HeaderValue::from_bytes(&bytes).ok()
}

async fn apply(State(added): State<Arc<Added>>, request: Request, next: Next) -> Response {
    let mut headers = match &added.cross_origin {
        Some(rules) => cors::headers(rules, request.method(), request.headers()),
        None => HeaderMap::new(),
    };
    put_by_rules(&added.rules, &mut headers);
    let mut response = next.run(request).await;
    // what the answer has by a name takes the place of all that is there by it
    headers.extend(std::mem::take(response.headers_mut()));
    *response.headers_mut() = headers;
    response
}

fn put_by_rules(rules: &[Rule], headers: &mut HeaderMap) {
    for rule in rules {
        let value = match &rule.value {
            Value::Text(text) => text.clone(),
            Value::Date(offset) => match HeaderValue::try_from(date(*offset)) {
                Ok(date) => date,
                Err(_) => continue,
            },
        };
        if rule.adds {
            headers.append(&rule.name, value);
        } else {
            headers.insert(&rule.name, value);
        }
    }
}

fn date(offset: i64) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let now = i64::try_from(now.as_millis()).unwrap_or(i64::MAX);
    timestamp::http_date(now.saturating_add(offset))
}
