//! Reads `sasl.jaas.config`: one login module with its options, as the Java clients take it.
//!
//! Errors say what is wrong with the form and never repeat the text, which holds passwords.

use std::collections::BTreeMap;

/// A login module with options.
pub struct LoginModule {
    /// Its Java class.
    pub class: String,
    /// Its options, secrets among them.
    pub options: BTreeMap<String, String>,
}

impl std::fmt::Debug for LoginModule {
    /// Without the options' values.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LoginModule")
            .field("class", &self.class)
            .field("options", &self.options.keys())
            .finish()
    }
}

/// Splits into words; quoted parts keep blanks, `=` and `;` stand for themselves.
fn words(text: &str) -> Result<Vec<String>, String> {
    let mut words = Vec::new();
    let mut rest = text.chars().peekable();
    while let Some(&next) = rest.peek() {
        match next {
            blank if blank.is_whitespace() => drop(rest.next()),
            '=' | ';' => {
                rest.next();
                words.push(next.to_string());
            }
            quote @ ('"' | '\'') => {
                rest.next();
                // A mark in front keeps a quoted `=` or `;` apart from the bare signs.
                let mut word = String::from("\"");
                loop {
                    match rest.next() {
                        Some('\\') => word.extend(rest.next()),
                        Some(end) if end == quote => break,
                        Some(other) => word.push(other),
                        None => return Err("a quoted value is not closed".to_owned()),
                    }
                }
                words.push(word);
            }
            _ => {
                let mut word = String::new();
                while let Some(&next) = rest.peek() {
                    if next.is_whitespace() || matches!(next, '=' | ';' | '"' | '\'') {
                        break;
                    }
                    word.push(next);
                    rest.next();
                }
                words.push(word);
            }
        }
    }
    Ok(words)
}

/// Parses the one login module of `text`.
///
/// # Errors
/// What is wrong with its form, without the text.
pub fn parse(text: &str) -> Result<LoginModule, String> {
    let words = words(text)?;
    let mut words = words.iter().map(String::as_str);
    let class = words
        .next()
        .ok_or("Login module not specified in JAAS config")?
        .to_owned();
    let flag = words
        .next()
        .ok_or("Login module control flag not specified in JAAS config")?;
    if !["required", "requisite", "sufficient", "optional"].contains(&flag.to_ascii_lowercase().as_str()) {
        return Err("Invalid login module control flag in JAAS config".to_owned());
    }
    let mut options = BTreeMap::new();
    loop {
        match words.next() {
            Some(";") => break,
            Some(name) => {
                let form = || "options must be written name=\"value\" and end with a semi-colon".to_owned();
                if words.next() != Some("=") {
                    return Err(form());
                }
                let value = words
                    .next()
                    .filter(|value| !matches!(*value, "=" | ";"))
                    .ok_or_else(form)?;
                options.insert(
                    name.to_owned(),
                    value.strip_prefix('"').unwrap_or(value).to_owned(),
                );
            }
            None => return Err("JAAS config entry not terminated by semi-colon".to_owned()),
        }
    }
    if words.next().is_some() {
        return Err("only one login module is allowed in the value of sasl.jaas.config".to_owned());
    }
    Ok(LoginModule { class, options })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_login_module_is_read_with_its_quoted_options() {
        let text = r#"org.example.Module required
            username="al;ice" password='p\'a"s=s' debug=true;"#;
        let module = parse(text).unwrap();
        assert_eq!(module.class, "org.example.Module");
        assert_eq!(module.options["username"], "al;ice");
        assert_eq!(module.options["password"], "p'a\"s=s");
        assert_eq!(module.options["debug"], "true");
    }

    #[test]
    fn broken_forms_are_refused_without_repeating_the_text() {
        for text in [
            "",
            "org.example.Module",
            "org.example.Module perhaps;",
            "org.example.Module required password=\"secret\"",
            "org.example.Module required password=\"secret;",
            "org.example.Module required password secret;",
            "org.example.Module required a=secret; org.example.Other required;",
        ] {
            let error = parse(text).err().unwrap_or_else(|| panic!("{text} was accepted"));
            assert!(!error.contains("secret"), "{error}");
        }
    }
}
