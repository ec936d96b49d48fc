//! JSON pointers with `*`, which stands for every element of an array and every value of an object.

use serde_json::Value;

/// The segments of a pointer, unescaped; the whole value is `""`.
fn segments(pointer: &str) -> Vec<String> {
    pointer
        .split('/')
        .skip(1)
        .map(|part| part.replace("~1", "/").replace("~0", "~"))
        .collect()
}

/// Calls `change` on every value that the pointer finds.
pub fn for_each_mut(value: &mut Value, pointer: &str, change: &mut dyn FnMut(&mut Value)) {
    walk(value, &segments(pointer), change);
}

fn walk(value: &mut Value, path: &[String], change: &mut dyn FnMut(&mut Value)) {
    let Some((head, rest)) = path.split_first() else {
        change(value);
        return;
    };
    match value {
        Value::Array(items) if head == "*" => items.iter_mut().for_each(|item| walk(item, rest, change)),
        Value::Object(fields) if head == "*" => {
            fields.values_mut().for_each(|field| walk(field, rest, change));
        }
        Value::Array(items) => {
            if let Some(item) = head.parse().ok().and_then(|index: usize| items.get_mut(index)) {
                walk(item, rest, change);
            }
        }
        Value::Object(fields) => {
            if let Some(field) = fields.get_mut(head) {
                walk(field, rest, change);
            }
        }
        _ => {}
    }
}

/// Whether everything that the pointer finds, at least one value, equals `expected`. Null is also found where nothing is.
pub fn holds(value: &Value, pointer: &str, expected: &Value) -> bool {
    let (mut found, mut all) = (false, true);
    for_each_mut(&mut value.clone(), pointer, &mut |value| {
        found = true;
        all &= value == expected;
    });
    if found { all } else { expected.is_null() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn stars_and_names_find_values() {
        let value = json!({"tasks": [{"id": 0, "trace": "x"}, {"id": 1}], "a/b": {"c": 1}, "e": []});
        let cases = [
            ("", 1),
            ("/tasks", 1),
            ("/tasks/*/id", 2),
            ("/tasks/*/trace", 1),
            ("/tasks/1/id", 1),
            ("/tasks/2/id", 0),
            ("/a~1b/c", 1),
            ("/*", 3),
            ("/e/*", 0),
            ("/none/x", 0),
        ];
        for (pointer, expected) in cases {
            let mut found = 0;
            for_each_mut(&mut value.clone(), pointer, &mut |_| found += 1);
            assert_eq!(found, expected, "{pointer}");
        }
    }

    #[test]
    fn a_condition_holds_for_all_that_is_found_and_null_also_for_nothing() {
        let value = json!({"tasks": [{"state": "A"}, {"state": "A"}], "none": null, "empty": []});
        let cases = [
            ("/tasks/*/state", json!("A"), true),
            ("/tasks/0/state", json!("B"), false),
            ("/empty/*/state", json!("A"), false),
            ("/none", json!(null), true),
            ("/absent", json!(null), true),
            ("/tasks", json!(null), false),
            ("/empty", json!([]), true),
        ];
        for (pointer, expected, holds_) in cases {
            assert_eq!(holds(&value, pointer, &expected), holds_, "{pointer} {expected}");
        }
    }
}
