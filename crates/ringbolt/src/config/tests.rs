//! Promises about configuration as a whole.

use std::time::Duration;

use super::*;

fn environment(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect()
}

fn read(sources: Sources) -> Result<Config, ConfigError> {
    Config::read(&Layers::merge(sources)?)
}

fn problems(sources: Sources) -> String {
    read(sources).unwrap_err().to_string()
}

fn file(text: &str) -> (tempfile::TempDir, std::path::PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ringbolt.toml");
    std::fs::write(&path, text).unwrap();
    (folder, path)
}

#[test]
fn nothing_needs_to_be_set() {
    let config = read(Sources::default()).unwrap();
    assert_eq!(config.public_url(), "http://127.0.0.1:8071");
    assert_eq!(config.data_folder(), Path::new("ringbolt-data"));
    assert_eq!(
        config.delivery.retry_schedule,
        ringbolt_model::RetrySchedule::default()
    );
    assert!(config.delivery.allow_networks.0.is_empty());
}

#[test]
fn flags_win_over_the_environment_and_that_over_the_file() {
    let (_folder, path) = file(
        "listen = '127.0.0.1:1'\npublic_url = 'http://file'\n[delivery]\ntimeout = '1s'\n\
         retry_schedule = ['1s', '2s']\nmax_in_flight = 7\n",
    );
    let flag = Flag {
        key: "listen".into(),
        value: "127.0.0.1:3".into(),
        name: "--listen".into(),
    };
    let config = read(Sources {
        file: Some(path),
        environment: environment(&[
            ("RINGBOLT_LISTEN", "127.0.0.1:2"),
            ("RINGBOLT_DELIVERY__TIMEOUT", "2s"),
        ]),
        flags: vec![flag],
    })
    .unwrap();
    assert_eq!(config.general.listen.port(), 3);
    assert_eq!(config.delivery.timeout, Duration::from_secs(2));
    assert_eq!(config.public_url(), "http://file");
    assert_eq!(config.delivery.retry_schedule.to_string(), "1s,2s");
    assert_eq!(config.delivery.max_in_flight.get(), 7);
}

#[test]
fn everything_that_is_wrong_is_told_at_once_with_its_origin() {
    let (_folder, path) = file("lissen = 1\n[delivery]\ntimeout = 5\n");
    let text = problems(Sources {
        file: Some(path.clone()),
        environment: environment(&[
            ("RINGBOLT_DELIVERY__RETRY_SHEDULE", "5s"),
            ("RINGBOLT_API__MAX_PAYLOAD", "11MiB"),
        ]),
        flags: vec![Flag {
            key: "log.fromat".into(),
            value: "json".into(),
            name: "--set log.fromat".into(),
        }],
    });
    let path = path.display().to_string();
    assert_eq!(text.lines().count(), 5, "{text}");
    assert!(text.contains(&format!(
        "`lissen` in {path} is no setting; the nearest is `listen`"
    )));
    assert!(text.contains(&format!(
        "`delivery.timeout` (file {path}): `5` is no duration"
    )));
    assert!(text.contains("RINGBOLT_DELIVERY__RETRY_SHEDULE is no setting"));
    assert!(text.contains("the nearest is RINGBOLT_DELIVERY__RETRY_SCHEDULE"));
    assert!(text.contains("environment variable RINGBOLT_API__MAX_PAYLOAD): it is above 10MiB"));
    assert!(text.contains("--set log.fromat is no setting; the nearest is --set log.format"));
}

#[test]
fn messages_are_kept_for_a_second_at_least() {
    let kept_for = |time| Sources {
        environment: environment(&[("RINGBOLT_RETENTION__CONTENT", time)]),
        ..Sources::default()
    };
    let read = read(kept_for("1s")).expect("it is the least");
    assert_eq!(read.retention.content, Duration::from_secs(1));
    let text = problems(kept_for("0s"));
    assert!(
        text.contains("RINGBOLT_RETENTION__CONTENT): it is below 1s"),
        "{text}"
    );
}

#[test]
fn a_group_is_no_setting() {
    let text = problems(Sources {
        environment: environment(&[("RINGBOLT_DELIVERY", "5s")]),
        ..Sources::default()
    });
    assert!(text.contains("RINGBOLT_DELIVERY is no setting"), "{text}");
}

#[test]
fn variables_of_the_tests_are_none_of_ours() {
    let variables = environment(&[
        ("RINGBOLT_BIN", "/bin/ringbolt"),
        ("RINGBOLT_TEST_ROUNDS", "3"),
        ("PATH", "/bin"),
    ]);
    assert!(
        read(Sources {
            environment: variables,
            ..Sources::default()
        })
        .is_ok()
    );
}

#[test]
fn a_token_of_digits_stays_text() {
    let variables = environment(&[("RINGBOLT_ADMIN_TOKEN", "00123456789012345")]);
    let config = read(Sources {
        environment: variables,
        ..Sources::default()
    })
    .unwrap();
    let token = config.general.admin_token.unwrap();
    assert_eq!(token.reveal(), "00123456789012345");
}

#[test]
fn a_wrong_secret_is_not_repeated() {
    let text = problems(Sources {
        environment: environment(&[("RINGBOLT_ENCRYPTION_KEY", "hunter2hunter2")]),
        ..Sources::default()
    });
    assert!(
        text.contains("encryption_key") && !text.contains("hunter2"),
        "{text}"
    );
}

#[test]
fn a_file_that_was_named_must_be_there_and_be_toml() {
    let missing = Sources {
        file: Some("/nonexistent/a.toml".into()),
        ..Sources::default()
    };
    assert!(problems(missing).contains("/nonexistent/a.toml"));
    let (_folder, path) = file("listen = \n");
    let text = problems(Sources {
        file: Some(path.clone()),
        ..Sources::default()
    });
    assert!(
        text.contains(&path.display().to_string()) && text.contains("line 1"),
        "{text}"
    );
}

#[test]
fn a_certificate_needs_its_key() {
    let text = problems(Sources {
        environment: environment(&[("RINGBOLT_TLS__CERTIFICATE", "cert.pem")]),
        ..Sources::default()
    });
    assert!(
        text.contains("tls.certificate") && text.contains("tls.key"),
        "{text}"
    );
}

#[test]
fn keys_are_unique_and_in_their_groups() {
    let mut keys: Vec<_> = all_settings().map(|setting| setting.key).collect();
    keys.sort_unstable();
    assert!(keys.windows(2).all(|pair| pair[0] != pair[1]));
    for (group, _, settings) in GROUPS {
        for setting in *settings {
            assert_eq!(
                setting.key.split_once('.').map_or("", |(group, _)| group),
                *group
            );
        }
    }
}
