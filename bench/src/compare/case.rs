//! Who meets under which load, and what is aimed at.
//!
//! The aims are those that the project set itself; they are shown beside what was found, met or not.

use std::path::Path;

use super::aim::{Aim, Measure};
use super::entrant::{BACKEND, Entrant, Program};
use super::window::{Place, Shape, request_bytes};

/// Entrants under one load.
#[derive(Clone, Debug)]
pub struct Case {
    /// The name on the command line.
    pub name: String,
    /// In words.
    pub title: String,
    /// The path that is asked for.
    pub path: String,
    /// The load.
    pub shape: Shape,
    /// Who takes part.
    pub entrants: Vec<Entrant>,
    /// The name of the one that the others are set against.
    pub reference: String,
    /// What is aimed at. An aim that speaks of an entrant that does not take part is passed over.
    pub aims: Vec<Aim>,
    /// Whether system calls are counted.
    pub counts_system_calls: bool,
}

/// Whether the engines and servers that are there for comparison are in this binary.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Peers {
    /// They are.
    BuiltIn,
    /// They are not.
    Missing,
}

/// What to say where they are not.
pub const PEERS_MISSING: &str = "this binary has no baseline, monoio, glommio or bare loop to compare with; \
     build them in: cargo build --release --features peers";

/// The reference's own twin: what differs there is noise.
pub const CONTROL: &str = "control";

/// The reference where it is there.
const BASELINE: &str = "baseline";

/// A loop without any of our features.
const BARE: &str = "bare loop";

/// The load that the others are forms of.
const SMALL: Shape = Shape { connections: 64, depth: 1, close: false, rate: None };

/// Idle connections beside a busy one.
const IDLE_CONNECTIONS: usize = 10_000;

/// Our own processor time for each request, beyond what a bare loop needs, is to be below this.
const OWN_NS_MAX: f64 = 1_000.0;

/// A plan of two cores that serves 1.8 times what one does has this processor time for each request.
const TWO_CORES_MAX: f64 = 2.0 / 1.8;

/// Requests per second that two cores are asked for and one: less than half of what one can do. In a closed loop a
/// second core that shares its CPU with the generator would be set, half idle, against one that is full.
const TWO_CORES_RATE: u32 = 40_000;

/// Everything that is compared of engines.
#[must_use]
pub fn engines(place: Place, peers: Peers) -> Vec<Case> {
    let field = Field::new(place, peers);
    [field.loads(), vec![field.idle(), field.two_cores(), field.congestion()]].concat()
}

/// The servers that are compared as engines.
struct Field {
    place: Place,
    /// All, and the reference's twin.
    all: Vec<Entrant>,
    /// The bare loop, if there is one.
    bare: Option<Entrant>,
    reference: &'static str,
}

impl Field {
    fn new(place: Place, peers: Peers) -> Self {
        let server = |engine| classifier(place, engine);
        let (others, reference) = match peers {
            Peers::BuiltIn => {
                (vec![server("monoio"), server("glommio"), server(BASELINE)], BASELINE)
            }
            Peers::Missing => (Vec::new(), "tokio"),
        };
        let twin = server(reference).twin(CONTROL);
        let all = [vec![server("ring"), server("tokio")], others, vec![twin]].concat();
        let bytes = request_bytes("/classify", false);
        let bare = (peers == Peers::BuiltIn).then(|| {
            Entrant::ringyard(BARE, &format!("compare bare-loop --request-bytes {bytes}"))
        });
        Self { place, all, bare, reference }
    }

    fn case(&self, name: &str, title: &str, shape: Shape, aims: Vec<Aim>) -> Case {
        Case {
            name: name.to_owned(),
            title: title.to_owned(),
            path: "/classify".to_owned(),
            shape,
            // The bare loop does not close a connection after an answer.
            entrants: self
                .all
                .iter()
                .chain(self.bare.iter().filter(|_| !shape.close))
                .cloned()
                .collect(),
            reference: self.reference.to_owned(),
            aims,
            counts_system_calls: false,
        }
    }

    /// Everybody under every load.
    fn loads(&self) -> Vec<Case> {
        let and_engines = |aim| [vec![aim], no_worse_than_engines()].concat();
        let wide = Shape { connections: 256, ..SMALL };
        let deep = Shape { depth: 16, ..SMALL };
        let churn = Shape { close: true, ..SMALL };
        let one = Shape { connections: 1, ..SMALL };
        vec![
            Case {
                counts_system_calls: true,
                ..self.case("64", "64 connections", SMALL, aims_of_64())
            },
            self.case("256", "256 connections", wide, and_engines(baseline(0.62))),
            self.case(
                "pipelined",
                "64 connections, 16 requests under way on each",
                deep,
                and_engines(baseline(0.12)),
            ),
            self.case(
                "churn",
                "64 clients, a connection for each request",
                churn,
                and_engines(baseline(0.80)),
            ),
            self.one(one),
        ]
    }

    /// What it is worth to look for work before sleeping. The generator sleeps in either case.
    fn one(&self, shape: Shape) -> Case {
        const NAME: &str = "ring, spinning";
        let aim =
            Aim::at_most(0.5, Measure::MedianRatio { of: NAME.to_owned(), to: "ring".to_owned() });
        let mut case = self.case("one", "one connection, one request at a time", shape, vec![aim]);
        case.entrants.push(classifier(self.place, "ring").with(NAME, "--spin 200us"));
        case
    }

    /// What idle connections do to a busy one.
    fn idle(&self) -> Case {
        const NAME: &str = "ring, 10,000 idle";
        let idle = classifier(self.place, "ring").with(NAME, "--idle-timeout 1h");
        let shape = Shape { connections: 1, ..SMALL };
        let aims = vec![
            Aim::no_worse(Measure::MedianRatio { of: NAME.to_owned(), to: "ring".to_owned() }),
            Aim::at_most(120.0, Measure::ResidentMib { of: NAME.to_owned() }),
        ];
        let title = "one busy connection beside 10,000 idle ones";
        let entrant = Entrant { idle_connections: IDLE_CONNECTIONS, ..idle };
        self.against_ring(self.case("idle", title, shape, aims), vec![entrant])
    }

    /// What a second core does to the cost of a request.
    fn two_cores(&self) -> Case {
        const NAME: &str = "ring, 2 cores";
        let (first, second) = (self.place.server, second_cpu(self.place));
        let words = format!("classifier --cost-scale 0 --engine ring --cores {first},{second}");
        let entrant = Entrant { is_pinned: false, ..Entrant::ringyard(NAME, &words) };
        let title =
            format!("{TWO_CORES_RATE} requests/s, CPUs {first} and {second} against {first} alone");
        let aims = vec![Aim::at_most(TWO_CORES_MAX, cpu(NAME, "ring"))];
        let shape = Shape { connections: 256, rate: Some(TWO_CORES_RATE), ..SMALL };
        self.against_ring(self.case("cores", &title, shape, aims), vec![entrant])
    }

    /// What the server's congestion control has to do with the cost of a request; "ring" has the system's default.
    fn congestion(&self) -> Case {
        let entrant = |name: &str| {
            let flag = format!("--congestion-control {name}");
            classifier(self.place, "ring").with(&format!("ring, {name}"), &flag)
        };
        let case = self.case("congestion", "64 connections, congestion controls", SMALL, vec![]);
        self.against_ring(case, vec![entrant("reno"), entrant("cubic")])
    }

    /// `case` with nobody but `entrants`, ring, and its twin.
    fn against_ring(&self, case: Case, entrants: Vec<Entrant>) -> Case {
        let ring = classifier(self.place, "ring");
        let twin = ring.twin(CONTROL);
        let entrants = [vec![ring], entrants, vec![twin]].concat();
        Case { entrants, reference: "ring".to_owned(), ..case }
    }
}

fn classifier(place: Place, engine: &str) -> Entrant {
    let words = format!("classifier --cost-scale 0 --cores {} --engine {engine}", place.server);
    Entrant::ringyard(engine, &words)
}

/// Everything that is compared of proxies: each stands on the CPU of its backend. `scripts` is where those are that
/// start other people's proxies.
#[must_use]
pub fn proxies(place: Place, peers: Peers, scripts: &Path) -> Vec<Case> {
    let ours = |name: &str, engine: &str, words: &str| {
        let common = format!(
            "proxy --cores {} --engine {engine} --backend http://{BACKEND} --strategy sjf \
             --max-batch-items 1 --max-items 1 {words}",
            place.server
        );
        Entrant::ringyard(name, &common)
    };
    let theirs = |name: &str| Entrant {
        name: name.to_owned(),
        program: Program::Script(scripts.join(format!("{name}.sh"))),
        is_pinned: true,
        idle_connections: 0,
    };
    let mut entrants = vec![
        ours("ring", "ring", "--backend-concurrency 64"),
        ours("ring, 16 at once", "ring", "--backend-concurrency 16"),
        ours(PIPELINED, "ring", "--backend-concurrency 64 --backend-pipeline 16"),
        ours("tokio", "tokio", "--backend-concurrency 64"),
        theirs("nginx"),
        theirs("haproxy"),
        theirs("nginx").twin(CONTROL),
    ];
    if peers == Peers::BuiltIn {
        entrants.push(ours(BASELINE, "baseline", "--backend-concurrency 64"));
    }
    vec![Case {
        name: "proxies".to_owned(),
        title: "64 clients, batching off, backend on the same CPU".to_owned(),
        path: "/proxy_classify".to_owned(),
        shape: SMALL,
        entrants,
        reference: "nginx".to_owned(),
        aims: vec![
            Aim::at_most(0.5, cpu(PIPELINED, "haproxy")),
            Aim::at_most(0.5, cpu(PIPELINED, "nginx")),
        ],
        counts_system_calls: true,
    }]
}

/// Our proxy with several batches on each of few connections.
const PIPELINED: &str = "ring, pipelined";

/// The backend of all proxies.
#[must_use]
pub fn backend(place: Place) -> Entrant {
    classifier(place, "ring").twin("backend")
}

fn cpu(of: &str, to: &str) -> Measure {
    Measure::CpuRatio { of: of.to_owned(), to: to.to_owned() }
}

fn baseline(most: f64) -> Aim {
    Aim::at_most(most, cpu("ring", BASELINE))
}

fn no_worse_than_engines() -> Vec<Aim> {
    ["tokio", "monoio", "glommio"].map(|engine| Aim::no_worse(cpu("ring", engine))).into()
}

fn aims_of_64() -> Vec<Aim> {
    let own = Measure::CpuAbove { of: "ring".to_owned(), to: BARE.to_owned() };
    let mut aims = vec![
        baseline(0.70),
        Aim::at_most(1.10, cpu("ring", BARE)),
        Aim::at_most(OWN_NS_MAX, own),
        Aim::at_most(0.08, Measure::SystemCalls { of: "ring".to_owned() }),
    ];
    aims.extend(no_worse_than_engines());
    aims
}

/// A CPU for a second server thread: one that is free, or else the generator's.
fn second_cpu(place: Place) -> usize {
    let allowed = ringyard_runtime::affinity::allowed().unwrap_or_default();
    let free = |cpu: &usize| *cpu != place.server && *cpu != place.generator;
    allowed.into_iter().find(free).unwrap_or(place.generator)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    const PLACE: Place = Place { server: 0, generator: 1 };

    fn all(peers: Peers) -> Vec<Case> {
        [engines(PLACE, peers), proxies(PLACE, peers, Path::new("bench/peers"))].concat()
    }

    #[test]
    fn everyone_has_a_name_of_their_own_and_somebody_to_be_set_against() {
        for peers in [Peers::BuiltIn, Peers::Missing] {
            let cases = all(peers);
            let names: BTreeSet<_> = cases.iter().map(|case| &case.name).collect();
            assert_eq!(names.len(), cases.len());
            for case in cases {
                let names: BTreeSet<_> =
                    case.entrants.iter().map(|entrant| &entrant.name).collect();
                assert_eq!(names.len(), case.entrants.len(), "{}", case.name);
                assert!(names.contains(&case.reference), "{}", case.name);
                let twin = case.entrants.iter().find(|entrant| entrant.name == CONTROL);
                let reference = case.entrants.iter().find(|entrant| entrant.name == case.reference);
                assert_eq!(
                    twin.map(|entrant| &entrant.program),
                    reference.map(|entrant| &entrant.program)
                );
            }
        }
    }

    #[test]
    fn every_aim_speaks_of_somebody_who_takes_part() {
        for case in all(Peers::BuiltIn) {
            let names: Vec<&str> =
                case.entrants.iter().map(|entrant| entrant.name.as_str()).collect();
            for aim in case.aims {
                let spoken_of = match &aim.measure {
                    Measure::CpuRatio { of, to }
                    | Measure::CpuAbove { of, to }
                    | Measure::MedianRatio { of, to } => vec![of.as_str(), to.as_str()],
                    Measure::SystemCalls { of } | Measure::ResidentMib { of } => vec![of.as_str()],
                };
                assert!(spoken_of.iter().all(|name| names.contains(name)), "{}", aim.measure);
            }
        }
    }
}
