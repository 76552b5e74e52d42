//! Tells settings from the variables that Kubernetes puts beside them.
//!
//! Every container gets variables that describe the Services of its namespace, named after them
//! (<https://kubernetes.io/docs/concepts/services-networking/service/#environment-variables>). Those of a Service
//! `ringbolt`, or `ringbolt-…`, begin as ours do.

/// Transports that a port of a Service can have.
const TRANSPORTS: [&str; 3] = ["TCP", "UDP", "SCTP"];

/// Whether a variable, named without our prefix, describes a Service. What has a group, and `PORT`
/// with a mere number, was written by somebody who meant a setting.
pub(super) fn is_of_kubernetes(name: &str, value: &str) -> bool {
    if name.contains("__") {
        return false;
    }
    let service = ["SERVICE_HOST", "SERVICE_PORT"];
    service.iter().any(|word| ends_with_word(name, word))
        || has_named_port(name)
        || (ends_with_word(name, "PORT") && is_link(value))
        || has_port_of_link(name)
}

/// Whether a name is this word, or ends with it after the name of a Service.
fn ends_with_word(name: &str, word: &str) -> bool {
    name.strip_suffix(word)
        .is_some_and(|before| before.is_empty() || before.ends_with('_'))
}

/// `SERVICE_PORT_HTTP`.
fn has_named_port(name: &str) -> bool {
    let parts = name.split_once("SERVICE_PORT_");
    parts.is_some_and(|(before, port)| {
        (before.is_empty() || before.ends_with('_')) && !port.is_empty()
    })
}

/// `PORT_8071_TCP`, and with `_PROTO`, `_PORT` or `_ADDR`.
fn has_port_of_link(name: &str) -> bool {
    let name = ["_PROTO", "_PORT", "_ADDR"]
        .iter()
        .find_map(|part| name.strip_suffix(part))
        .unwrap_or(name);
    let Some((before, transport)) = name.rsplit_once('_') else {
        return false;
    };
    let Some((before, number)) = before.rsplit_once('_') else {
        return false;
    };
    TRANSPORTS.contains(&transport)
        && number.parse::<u16>().is_ok()
        && ends_with_word(before, "PORT")
}

/// `tcp://10.0.0.1:8071`.
fn is_link(value: &str) -> bool {
    let scheme = value.split_once("://").map(|(scheme, _)| scheme);
    scheme.is_some_and(|scheme| TRANSPORTS.contains(&scheme.to_uppercase().as_str()))
}

#[cfg(test)]
mod tests {
    use super::super::all_settings;
    use super::super::setting::PREFIX;
    use super::*;

    #[test]
    fn the_variables_of_a_service_are_told_from_settings() {
        for (name, value) in [
            ("PORT", "tcp://10.96.7.1:8071"),
            ("SERVICE_HOST", "10.96.7.1"),
            ("SERVICE_PORT", "8071"),
            ("SERVICE_PORT_HTTP", "8071"),
            ("PORT_8071_TCP", "tcp://10.96.7.1:8071"),
            ("PORT_8071_TCP_PROTO", "tcp"),
            ("PORT_8071_TCP_PORT", "8071"),
            ("PORT_8071_TCP_ADDR", "10.96.7.1"),
            ("METRICS_PORT", "tcp://10.96.7.1:9090"),
            ("METRICS_SERVICE_HOST", "10.96.7.1"),
            ("METRICS_PORT_9090_TCP_ADDR", "10.96.7.1"),
        ] {
            assert!(is_of_kubernetes(name, value), "{name}={value}");
        }
    }

    #[test]
    fn what_somebody_meant_as_a_setting_is_not_passed_over() {
        for (name, value) in [
            ("PORT", "8071"),
            ("PORT", "http://10.96.7.1"),
            ("HOST", "0.0.0.0"),
            ("PORT_TCP", "1"),
            ("PORT_HTTP_TCP", "1"),
            ("SERVICE", "x"),
            ("SERVICE_PORT_", "1"),
            ("MICROSERVICE_PORT", "1"),
            ("NET__SERVICE_PORT", "1"),
        ] {
            assert!(!is_of_kubernetes(name, value), "{name}={value}");
        }
        for setting in all_settings() {
            let variable = setting.variable();
            let name = variable.strip_prefix(PREFIX).unwrap();
            assert!(!is_of_kubernetes(name, "tcp://10.96.7.1:8071"), "{name}");
        }
    }
}
