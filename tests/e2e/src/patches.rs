//! Patches of a connector that others change while the patched configuration is validated, which may take seconds: the plugin
//! may ask another system.

use serde_json::{Value, json};

use crate::group::eventually;
use crate::stage::Stage;
use crate::worker::Worker;

/// As often is a patch made anew.
const TRIES: usize = 5;
const PATH: &str = "/connectors/patched/config";

/// A connector whose validations are counted and, where they may ask others, wait to be let go on.
struct Validated<'s> {
    stage: &'s Stage,
    config: Value,
}

impl Validated<'_> {
    /// Its configuration with this key on top.
    fn with(&self, key: &str, value: &str) -> Value {
        let mut config = self.config.clone();
        config[key] = json!(value);
        config
    }

    fn has_begun(&self, validations: usize) {
        eventually("the next validation has begun", || {
            lines(self.stage).len() >= validations
        });
        assert_eq!(lines(self.stage).len(), validations);
    }

    fn let_go(&self) {
        self.stage.write("go", "");
    }
}

/// What validations of connectors noted that have this stage's file `note` for it.
///
/// # Panics
/// When a validation wrote no text.
pub fn lines(stage: &Stage) -> Vec<String> {
    let note = std::fs::read_to_string(stage.path("note")).unwrap_or_default();
    note.lines().map(str::to_owned).collect()
}

/// The configuration of a connector whose validations are noted in the stage's file `note`.
pub fn noting(stage: &Stage) -> Value {
    json!({
        "connector.class": "wharf.test.MisbehavingSource",
        "tasks.max": "1",
        "topic": stage.named("topic"),
        "validate.note": stage.file("note"),
    })
}

/// Patches a connector while somebody else replaces its configuration: once, which must lose neither change, and again and
/// again, which must end with a clear answer.
///
/// # Panics
/// When it is otherwise.
pub fn lose_nothing(stage: &Stage, worker: &Worker) {
    let validated = Validated {
        stage,
        config: noting(stage),
    };
    let until = stage.file("go");
    worker.create("patched", validated.config.clone());
    validated.has_begun(1);
    std::thread::scope(|scope| {
        let patch = json!({"validate.until": until, "mine": "1"});
        let patch = scope.spawn(move || worker.call("PATCH", PATH, Some(&patch), 200));
        validated.has_begun(2);
        worker.call("PUT", PATH, Some(&validated.with("theirs", "2")), 200);
        validated.let_go();
        validated.has_begun(4);
        validated.let_go();
        let answer = patch.join().unwrap();
        assert_eq!(
            (&answer["config"]["mine"], &answer["config"]["theirs"]),
            (&json!("1"), &json!("2")),
            "{answer}"
        );
    });
    let config = worker.get(PATH);
    assert_eq!((&config["mine"], &config["theirs"]), (&json!("1"), &json!("2")));

    worker.call("PATCH", PATH, Some(&json!({"validate.until": null})), 200);
    validated.has_begun(5);
    std::thread::scope(|scope| {
        let patch = json!({"validate.until": until, "late": "1"});
        let patch = scope.spawn(move || worker.refused("PATCH", PATH, Some(&patch), 409));
        for number in 0..TRIES {
            validated.has_begun(6 + 2 * number);
            let theirs = validated.with("number", &number.to_string());
            worker.call("PUT", PATH, Some(&theirs), 200);
            validated.let_go();
        }
        let message = patch.join().unwrap();
        assert!(message.contains("may be sent again"), "{message}");
    });
    let config = worker.get(PATH);
    assert_eq!(
        (&config["late"], &config["number"]),
        (&Value::Null, &json!((TRIES - 1).to_string()))
    );
    validated.has_begun(5 + 2 * TRIES);
}
