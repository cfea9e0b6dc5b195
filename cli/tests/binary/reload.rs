//! What customers are entitled to, read again by a process that serves.

use std::fs;

use ringyard_tests::client::{Client, proxy_classify};

use crate::ENGINES;
use crate::process::Process;

/// One request in an hour, the first at once.
const HELD: &str = "[customers.A]\nrequests_per_second = 0.0003\n";

/// The second line is wrong.
const WRONG: &str = "[customers.A]\nrequests_per_second = \"often\"\n";

#[test]
fn a_new_file_of_customers_is_followed_and_a_wrong_one_refused() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("customers.toml");
    let file = path.to_str().expect("a path of text");
    for engine in ENGINES {
        let write = |text: &str| fs::write(&path, text).expect("the file can be written");
        write("");
        let classifier =
            Process::start(&["classifier", "--listen", "127.0.0.1:0", "--cost-scale", "0"]);
        let url = format!("http://{}", classifier.address);
        let mut arguments = vec!["proxy", "--listen", "127.0.0.1:0", "--backend", &url];
        arguments.extend(["--engine", engine, "--customers", file]);
        let mut proxy = Process::start_heard(&arguments);
        let mut client = Client::connect(proxy.address);
        let mut ask = |customer: &str| client.ask(&proxy_classify(customer, &["x"]));
        assert_eq!((ask("A").status, ask("A").status), (200, 200));

        write(HELD);
        proxy.signal("-HUP");
        proxy.next_error("is in force");
        assert_eq!(ask("A").status, 200);
        let refused = ask("A");
        assert_eq!(refused.status, 429, "{refused:?}");
        assert_eq!(refused.json()["reason"], "customer-rate");
        assert_eq!(ask("B").status, 200);

        write(WRONG);
        proxy.signal("-HUP");
        let message = proxy.next_error("expected f64");
        assert!(message.contains("the customers stay as they were"), "{message}");
        assert!(message.contains(file) && message.contains("line 2,"), "{message}");
        assert_eq!((ask("A").status, ask("B").status), (429, 200), "the old ones are in force");

        fs::remove_file(&path).expect("the file is there");
        proxy.signal("-HUP");
        let message = proxy.next_error(")");
        assert!(message.contains("cannot read"), "{message}");
        assert_eq!(ask("A").status, 429);

        write("");
        proxy.signal("-HUP");
        proxy.next_error("is in force");
        assert_eq!((ask("A").status, ask("A").status), (200, 200));
    }
}

#[test]
fn a_proxy_does_not_begin_with_a_wrong_file() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("customers.toml");
    fs::write(&path, WRONG).expect("the file can be written");
    let file = path.to_str().expect("a path of text");
    let (status, message) = crate::usage::run(&["proxy", "--customers", file]);
    assert_eq!(status, Some(1));
    assert!(message.contains(file) && message.contains("line 2,"), "{message}");
}
