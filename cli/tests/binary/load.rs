//! The load generator on a host that has too little of something.

use std::process::Command;

use crate::ENGINES;
use crate::process::Process;

#[test]
fn a_generator_without_descriptors_says_so_before_and_after() {
    for engine in ENGINES {
        let server = Process::start(&["classifier", "--listen", "127.0.0.1:0"]);
        let target = format!("http://{}/healthz", server.address);
        let run = ["load", &target, "-c", "300", "-n", "1000", "--no-calibration"];
        // The shell lowers both limits, and the generator cannot raise them again.
        let output = Command::new("sh")
            .args(["-c", "ulimit -n 100 && exec \"$0\" \"$@\"", env!("CARGO_BIN_EXE_ringyard")])
            .args(run)
            .args(["--engine", engine])
            .output()
            .expect("the shell runs");
        let [told, warned] =
            [&output.stdout, &output.stderr].map(|text| String::from_utf8_lossy(text).into_owned());
        let warning = "warning: 300 connections will run out of descriptors at about 60: each";
        assert!(warned.contains(warning), "{warned}");
        assert!(told.contains("× out of descriptors\nout of descriptors: each"), "{told}");
        assert!(told.contains("1000 answers") && output.status.success(), "{told}");
    }
}
