//! Values of a folder and of the environment, as config providers give them: where they are used, and where they must not be seen.

use std::fs;

use serde_json::{Value, json};

use crate::group::{eventually, file_source};
use crate::stage::Stage;
use crate::worker::{Launch, Worker};

/// Values that must be found in records only.
const IN_FOLDER: &str = "correct-horse-battery";
const IN_ENVIRONMENT: &str = "staple-of-the-environment";
/// One that the provider may not give.
const NOT_ALLOWED: &str = "nobody-may-see-this";

/// A folder with a file for each value, and variables.
#[derive(Debug)]
pub struct Secrets {
    folder: String,
    settings: Vec<(&'static str, String)>,
}

impl Secrets {
    /// Files of a source's settings.
    pub fn new(stage: &Stage) -> Self {
        fs::create_dir_all(stage.path("secrets")).unwrap();
        stage.write("secrets/word", IN_FOLDER);
        stage.write("secrets/topic", stage.named("first"));
        stage.write("secrets/input", stage.file("in.txt"));
        let folder = stage.file("secrets");
        let provider = |class: &str| format!("org.apache.kafka.common.config.provider.{class}ConfigProvider");
        Self {
            settings: vec![
                ("config.providers", "directory,env".to_owned()),
                ("config.providers.directory.class", provider("Directory")),
                ("config.providers.directory.param.allowed.paths", folder.clone()),
                ("config.providers.env.class", provider("EnvVar")),
                (
                    "config.providers.env.param.allowlist.pattern",
                    "WHARF_E2E_.*".to_owned(),
                ),
                // the worker's own file has references, too
                ("producer.client.id", "${env:WHARF_E2E_WORD}".to_owned()),
            ],
            folder,
        }
    }

    /// How workers are started.
    pub fn launch() -> Launch {
        Launch {
            variables: &[("WHARF_E2E_WORD", IN_ENVIRONMENT), ("OTHER_WORD", NOT_ALLOWED)],
            ..Launch::default()
        }
    }

    /// Properties of the workers.
    pub fn settings(&self) -> Vec<(&str, &str)> {
        self.settings
            .iter()
            .map(|(key, value)| (*key, &**value))
            .collect()
    }

    fn reference(&self, key: &str) -> String {
        format!("${{directory:{}:{key}}}", self.folder)
    }

    /// Creates a source through one worker, looks at it through another, changes a file of the folder, restarts the source,
    /// and takes the folder away. No answer and no log has a value.
    ///
    /// # Panics
    /// When it is otherwise.
    pub fn are_used_and_not_seen(&self, stage: &Stage, one: &Worker, other: &Worker) {
        let name = stage.named("source");
        stage.write("in.txt", "one\n");
        let mut config = file_source(&self.reference("input"), &self.reference("topic"));
        config["transforms"] = json!("word,variable,unknown");
        for (alias, literal) in [
            ("word", self.reference("word")),
            ("variable", "${env:WHARF_E2E_WORD}".to_owned()),
            ("unknown", "${env:OTHER_WORD}".to_owned()),
        ] {
            config[format!("transforms.{alias}.type")] =
                json!("org.apache.kafka.connect.transforms.InsertHeader");
            config[format!("transforms.{alias}.header")] = json!(alias);
            config[format!("transforms.{alias}.value.literal")] = json!(literal);
        }
        one.create(&name, config.clone());
        other.until_states(&name, &["RUNNING", "RUNNING"]);
        let seen = stage.kafka().reader(&stage.named("first")).read(1);
        let headers: Vec<(&str, String)> = seen[0]
            .headers
            .iter()
            .map(|(name, value)| (name.as_str(), String::from_utf8(value.clone().unwrap()).unwrap()))
            .collect();
        assert_eq!(
            headers,
            [
                ("word", IN_FOLDER.to_owned()),
                ("variable", IN_ENVIRONMENT.to_owned()),
                ("unknown", "${env:OTHER_WORD}".to_owned()),
            ]
        );
        self.look(&name, &config, one, other);

        // Another topic, once the source was restarted.
        stage.write("secrets/topic", stage.named("second"));
        let restarted = one.request(
            "POST",
            &format!("/connectors/{name}/restart?includeTasks=true"),
            None,
        );
        assert_eq!(restarted.status, 202, "{restarted:?}");
        eventually("its lines go to the other topic", || {
            fs::OpenOptions::new()
                .append(true)
                .open(stage.path("in.txt"))
                .and_then(|mut file| std::io::Write::write_all(&mut file, b"more\n"))
                .unwrap();
            let topic = stage.named("second");
            stage.kafka().partitions(&topic).is_some() && stage.kafka().count(&topic) > 0
        });
        self.look(&name, &config, one, other);

        // A plugin's own line has the reference: the source tells which file it reads.
        let line = format!("reading from {}", self.reference("input"));
        let input = stage.file("in.txt");
        assert!([one, other].iter().any(|worker| worker.log().contains(&line)));
        for worker in [one, other] {
            let log = worker.log();
            assert!(!log.contains(&input), "{log}");
        }
    }

    /// Every answer about the source, and the logs.
    fn look(&self, name: &str, config: &Value, one: &Worker, other: &Worker) {
        let tasks = one.get(&format!("/connectors/{name}/tasks"));
        for (key, value) in config.as_object().unwrap() {
            if key != "connector.class" {
                assert_eq!(&tasks[0]["config"][key], value, "{tasks}");
            }
        }
        for worker in [one, other] {
            let mut texts = vec![worker.get("/connectors?expand=info&expand=status").to_string()];
            for part in ["", "/config", "/tasks", "/status", "/tasks/0/status"] {
                texts.push(worker.get(&format!("/connectors/{name}{part}")).to_string());
            }
            let mut checked = config.clone();
            checked["name"] = json!(name);
            checked["batch.size"] = json!(self.reference("word"));
            let path = "/connector-plugins/FileStreamSource/config/validate";
            let answer = worker.call("PUT", path, Some(&checked), 200).to_string();
            let expected = format!(
                "Invalid value {} for configuration batch.size",
                self.reference("word")
            );
            assert!(answer.contains(&expected), "{answer}");
            texts.push(answer);
            texts.push(worker.log());
            for text in texts {
                are_not_in(&text);
            }
        }
    }
}

/// A provider of properties files, for [`are_missed`].
pub const FILES: [(&str, &str); 2] = [
    ("config.providers", "file"),
    ("config.providers.file.class", "FileConfigProvider"),
];

/// Takes away the file with values of a connector's settings, restarts it, which fails, and gives the file back.
///
/// # Panics
/// When its status does not say why it failed, or it does not come back.
pub fn are_missed(stage: &Stage, one: &Worker, other: &Worker) {
    let values = || {
        let text = format!("input={}\ntasks=1\n", stage.file("in.txt"));
        stage.write("values.properties", text)
    };
    let file = values();
    let reference = |key: &str| format!("${{file:{}:{key}}}", file.display());
    let name = stage.named("source");
    let mut config = file_source(&reference("input"), &stage.named("topic"));
    config["tasks.max"] = json!(reference("tasks"));
    one.create(&name, config);
    other.until_states(&name, &["RUNNING", "RUNNING"]);

    fs::remove_file(&file).unwrap();
    let restart = format!("/connectors/{name}/restart");
    let reason = format!("Could not read properties from file {}", file.display());
    let refused = one.refused("POST", &restart, None, 500);
    assert!(refused.contains(&reason), "{refused}");
    let path = format!("/connectors/{name}/status");
    let status = other.until(&path, "the connector failed", |status| {
        status["connector"]["state"] == "FAILED"
    });
    let trace = status["connector"]["trace"].as_str().unwrap();
    assert!(trace.contains(&reason), "{trace}");

    values();
    let restarted = one.request("POST", &restart, None);
    assert_eq!(restarted.status, 204, "{restarted:?}");
    other.until_states(&name, &["RUNNING", "RUNNING"]);
}

/// That a text has none of the values.
///
/// # Panics
/// When it has.
pub fn are_not_in(text: &str) {
    for value in [IN_FOLDER, IN_ENVIRONMENT, NOT_ALLOWED] {
        assert!(!text.contains(value), "{value} in {text}");
    }
}
