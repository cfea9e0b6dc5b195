//! What a proxy says of its decisions, over sockets.

use ringyard_servers::proxy::{Explain, ProxyConfig};
use ringyard_tests::client::{Client, get, proxy_classify};
use ringyard_tests::description::Description;
use ringyard_tests::servers::{Engine, backend, instant_classifier, plan, proxy};

/// Every answer tells of its batch, and the page of decisions has that batch, on the core that has the queue and on
/// the other.
pub(crate) fn answers_and_decisions(engine: Engine) {
    let behind = instant_classifier(engine);
    let config = ProxyConfig {
        explain: Explain::Always { decisions_kept: 1_000 },
        balance: "soonest".parse().expect("there is such a policy"),
        ..ProxyConfig::new(vec![backend(behind.address)])
    };
    let server = proxy(plan(engine, 2), config);
    let description = Description::of(server.address);
    for number in 0..16 {
        let mut client = Client::connect(server.address);
        let customer = format!("customer-{number}");
        let answer = client.ask(&proxy_classify(&customer, &["class X", "hello"]));
        assert_eq!(answer.status, 200, "{answer:?}");
        description.check("POST", "/proxy_classify", &answer);
        let header = |name: &str| answer.header(name).unwrap_or_else(|| panic!("no {name}"));
        assert_eq!(header("x-ringyard-role"), "anchor");
        assert_eq!(header("x-ringyard-batch-sequences"), "2");
        let batch: u64 = header("x-ringyard-batch").parse().expect("a number");
        let actual_us: u64 = header("x-ringyard-cost-actual-us").parse().expect("a number");
        let page = client.ask(&get("/debug/decisions"));
        assert_eq!(page.status, 200, "{page:?}");
        description.check("GET", "/debug/decisions", &page);
        let page = page.json();
        let list = page["decisions"].as_array().expect("a list");
        let own = list.iter().find(|decision| decision["batch"] == batch).expect("its batch");
        assert_eq!(own["members"][0]["customer"], customer.as_str());
        assert_eq!(own["actual_us"], actual_us);
        assert_eq!(own["balance"], "soonest");
        let chosen = own["chosen"].as_str().expect("a reason");
        assert!(chosen.starts_with("lowest score"), "{chosen}");
    }
    server.drain();
    behind.drain();
}
