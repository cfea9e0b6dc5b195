//! Connections that the app asks for.

use std::io::{Read, Write};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc;

use ringyard_runtime::app::{ConnError, ConnectToken, Event, Origin};
use ringyard_runtime::launch::{LaunchError, launch};
use ringyard_runtime::plan::{EngineKind, Plan};
use socket2::{Domain, Socket, Type};

use crate::harness::{next, plan, scripted, start};

const TOKEN: ConnectToken = ConnectToken(7);

fn plan_without_listener(engine: EngineKind) -> Plan {
    Plan { listen: Vec::new(), ..plan(engine) }
}

pub(crate) fn a_connect_opens_and_both_sides_speak(engine: EngineKind) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (report, reports) = mpsc::channel();
    let _running = start(plan_without_listener(engine), move |_| {
        let report = report.clone();
        move |_, event, commands| match event {
            Event::Deadline => commands.connect(TOKEN, address),
            Event::Opened { conn, origin } => {
                assert_eq!(origin, Origin::Connected { token: TOKEN });
                commands.send(conn, b"question");
            }
            Event::Received { conn, bytes } => {
                report.send(bytes.to_vec()).unwrap();
                commands.close(conn);
            }
            _ => {}
        }
    });
    let (mut server, _) = listener.accept().unwrap();
    let mut question = [0; 8];
    server.read_exact(&mut question).unwrap();
    assert_eq!(&question, b"question");
    server.write_all(b"answer").unwrap();
    assert_eq!(next(&reports), b"answer");
    assert_eq!(server.read(&mut [0; 1]).unwrap(), 0, "closed");
}

/// Launches an app that connects to `address` and reports how that failed.
fn failure_to_connect(engine: EngineKind, address: SocketAddr, is_cancelled: bool) -> ConnError {
    let (report, reports) = mpsc::channel();
    let running = start(plan_without_listener(engine), move |_| {
        let report = report.clone();
        let mut turns = 0;
        move |now, event, commands| match event {
            Event::Deadline => {
                turns += 1;
                match turns {
                    1 => {
                        commands.connect(TOKEN, address);
                        commands.set_deadline(Some(now.time));
                    }
                    2 if is_cancelled => commands.cancel_connect(TOKEN),
                    _ => {}
                }
            }
            Event::ConnectFailed { token, error } => {
                assert_eq!(token, TOKEN);
                commands.cancel_connect(token);
                report.send(error).unwrap();
            }
            _ => panic!("{event:?}"),
        }
    });
    let error = next(&reports);
    running.stop_now();
    running.wait().unwrap();
    assert!(reports.try_recv().is_err(), "an attempt fails once");
    error
}

pub(crate) fn a_connect_to_nobody_is_refused(engine: EngineKind) {
    // Bound but not listening: nobody else can take the port meanwhile.
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
    let address = socket.local_addr().unwrap().as_socket().unwrap();
    assert_eq!(failure_to_connect(engine, address, false), ConnError::Refused);
}

pub(crate) fn a_cancelled_connect_fails_as_cancelled(engine: EngineKind) {
    // A listener whose queue is full answers nobody.
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
    socket.listen(0).unwrap();
    let address = socket.local_addr().unwrap().as_socket().unwrap();
    let _first = TcpStream::connect(address).unwrap();
    assert_eq!(failure_to_connect(engine, address, true), ConnError::Cancelled);
}

pub(crate) fn each_source_has_its_turn(engine: EngineKind) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let sources = [2, 3].map(|last| IpAddr::from([127, 0, 0, last]));
    let plan = Plan { sources: sources.to_vec(), ..plan_without_listener(engine) };
    let running = launch(plan, move |_| {
        scripted(move |_, event, commands| {
            if let Event::Deadline = event {
                (0..4).for_each(|token| commands.connect(ConnectToken(token), address));
            }
        })
    });
    if !matches!(engine, EngineKind::Ring | EngineKind::Tokio) {
        let refused = matches!(running, Err(LaunchError::NoSources(named)) if named == engine);
        assert!(refused, "an engine that cannot do it says so");
        return;
    }
    let _running = running.unwrap();
    let mut peers: Vec<IpAddr> = (0..4).map(|_| listener.accept().unwrap().1.ip()).collect();
    peers.sort();
    assert_eq!(peers, [sources[0], sources[0], sources[1], sources[1]]);
}
