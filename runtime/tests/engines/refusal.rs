//! What cannot be launched, and what is launched instead.

use std::thread;

use ringyard_runtime::launch::{LaunchError, ListenError, launch};
use ringyard_runtime::limits::EngineLimits;
use ringyard_runtime::plan::{EngineChoice, EngineKind, Plan};
use ringyard_runtime::probe::{self, Unavailable};

use crate::harness::{ask, connect, cpus, echo, plan, scripted, start_echo};

const IO_URING_SETUP: u32 = 425;
const IO_URING_ENTER: u32 = 426;
const IO_URING_REGISTER: u32 = 427;

/// Has the kernel refuse system call `number` with `errno`, for this thread and those that it starts from now
/// on, as a container's sandbox does.
#[expect(unsafe_code, reason = "installs a seccomp filter")]
fn refuse(number: u32, errno: i32) {
    let code = |code: u32| u16::try_from(code).unwrap();
    let statement = |operation, k| libc::sock_filter { code: code(operation), jt: 0, jf: 0, k };
    let load_number = statement(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0);
    let is_it = libc::sock_filter {
        jf: 1,
        ..statement(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, number)
    };
    let errno = u32::try_from(errno).unwrap();
    let refuse = statement(libc::BPF_RET | libc::BPF_K, libc::SECCOMP_RET_ERRNO | errno);
    let allow = statement(libc::BPF_RET | libc::BPF_K, libc::SECCOMP_RET_ALLOW);
    let mut filter = [load_number, is_it, refuse, allow];
    let program = libc::sock_fprog { len: 4, filter: filter.as_mut_ptr() };
    // SAFETY: takes integers only.
    let result = unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) };
    assert_eq!(result, 0);
    // SAFETY: the program and its filter are valid for the call, and the filter lets all other calls pass.
    let result =
        unsafe { libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &raw const program) };
    assert_eq!(result, 0);
}

/// Runs `test` on a thread for which system call `number` fails with `errno`.
fn refused<T: Send + 'static>(
    number: u32,
    errno: i32,
    test: impl FnOnce() -> T + Send + 'static,
) -> T {
    let body = move || {
        refuse(number, errno);
        test()
    };
    thread::spawn(body).join().unwrap()
}

#[test]
fn each_refusal_is_recognised() {
    let check = |number, errno, expected: fn(&Unavailable) -> bool| {
        let reason = refused(number, errno, || probe::io_uring(&EngineLimits::default()));
        let reason = reason.unwrap_err();
        assert!(expected(&reason), "{reason}");
    };
    let setup = IO_URING_SETUP;
    check(setup, libc::ENOSYS, |it| matches!(it, Unavailable::Absent { .. }));
    check(setup, libc::EINVAL, |it| matches!(it, Unavailable::Missing { since: "6.1", .. }));
    check(setup, libc::EMFILE, |it| matches!(it, Unavailable::Descriptors));
    check(setup, libc::ENOMEM, |it| {
        matches!(it, Unavailable::LockedMemory { .. } | Unavailable::Memory { .. })
    });
    // Where the administrator has switched io_uring off, that is what it is.
    check(setup, libc::EPERM, |it| {
        matches!(
            it,
            Unavailable::Forbidden { call: "io_uring_setup" } | Unavailable::Disabled { .. }
        )
    });
}

#[test]
fn a_sandbox_that_lets_rings_be_made_and_not_used_is_recognised() {
    if probe::io_uring(&EngineLimits::default()).is_err() {
        return eprintln!("not run: no io_uring here at all");
    }
    for (number, name) in
        [(IO_URING_ENTER, "io_uring_enter"), (IO_URING_REGISTER, "io_uring_register")]
    {
        let reason = refused(number, libc::EPERM, || probe::io_uring(&EngineLimits::default()));
        assert_eq!(reason, Err(Unavailable::Forbidden { call: name }));
    }
}

#[test]
fn a_plan_for_any_engine_falls_back_and_says_why() {
    refused(IO_URING_SETUP, libc::ENOSYS, || {
        let plan = Plan { engine: EngineChoice::Auto, cores: cpus(2), ..plan(EngineKind::Ring) };
        let running = start_echo(plan);
        assert_eq!(running.engine(), EngineKind::Tokio);
        let reason = running.fallback_reason().unwrap().to_string();
        assert!(reason.contains("io_uring_setup"), "{reason}");
        assert_eq!(ask(&mut connect(&running), b"hello", 5), b"hello");
    });
}

#[test]
fn a_plan_for_the_ring_alone_fails_and_says_why() {
    let error = refused(IO_URING_SETUP, libc::EPERM, || {
        let make = |_| scripted(|_, event, commands| echo(event, commands));
        launch(plan(EngineKind::Ring), make).unwrap_err()
    });
    assert!(matches!(error, LaunchError::Ring(_)), "{error}");
    let message = error.to_string();
    assert!(message.starts_with("the ring engine was asked for, but"), "{message}");
}

#[test]
fn a_plan_for_any_engine_prefers_the_ring() {
    let expected = match probe::io_uring(&EngineLimits::default()) {
        Ok(()) => EngineKind::Ring,
        Err(_) => EngineKind::Tokio,
    };
    let running = start_echo(Plan { engine: EngineChoice::Auto, ..plan(EngineKind::Ring) });
    assert_eq!(running.engine(), expected);
    assert_eq!(running.fallback_reason().is_some(), expected == EngineKind::Tokio);
}

#[test]
fn plans_that_cannot_be_carried_out_are_refused() {
    let refusal = |plan| {
        let make = |_| scripted(|_, event, commands| echo(event, commands));
        launch(plan, make).unwrap_err()
    };
    let running = start_echo(plan(EngineKind::Tokio));
    let listen = running.addresses().to_vec();
    let error = refusal(Plan { listen, ..plan(EngineKind::Tokio) });
    assert!(matches!(error, LaunchError::Listen(ListenError::AddressInUse { .. })), "{error}");

    let error = refusal(Plan { cores: vec![8000], ..plan(EngineKind::Tokio) });
    assert!(error.to_string().starts_with("CPU 8000 is not available"), "{error}");

    let mut impossible = plan(EngineKind::Tokio);
    impossible.limits.receive_buffers = 3;
    let error = refusal(impossible);
    assert!(matches!(error, LaunchError::Limits(_)), "{error}");
}
