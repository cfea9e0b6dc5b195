//! What customers are entitled to: weights, tiers, quotas, and new books while requests are queued.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use ringyard_runtime::app::ConnId;
use ringyard_scheduler::cost::{CostKind, CostModel};
use ringyard_scheduler::{CustomerTerms, FairRule, StrategyKind};
use ringyard_servers::proxy::{Books, CostSetting, CustomerBook, Entitlement, ProxyConfig, Rate};

use crate::driver::answers;
use crate::proxy::{Driven, batches, classify, client, config, metrics, reply, server};

fn book(named: &[(&str, Entitlement)]) -> CustomerBook {
    let named = named.iter().map(|(name, entitlement)| ((*name).into(), *entitlement));
    CustomerBook { named: named.collect::<BTreeMap<_, _>>(), ..CustomerBook::default() }
}

fn terms(weight: u32, tier: u8) -> Entitlement {
    Entitlement { terms: CustomerTerms::new(weight, tier), ..Entitlement::default() }
}

/// Which customers' texts, which are their names, leave one by one.
fn order(driver: &mut Driven, backend: ConnId) -> String {
    let mut order = String::new();
    loop {
        let sent = batches(driver, backend);
        let Some(batch) = sent.first() else { return order };
        order.push_str(batch["sequences"][0].as_str().expect("a text"));
        reply(driver, backend, &["r"]);
    }
}

/// One sequence a batch, so that the order shows.
fn one_by_one(strategy: StrategyKind, customers: CustomerBook) -> ProxyConfig {
    let linger = Some(Duration::ZERO);
    let fair = FairRule::Deficit;
    let cost = CostSetting::Fixed(CostModel::new(CostKind::Constant, 0.0, 1e6));
    ProxyConfig { strategy, customers, linger, fair, cost, batch_sequences_max: 1, ..config() }
}

#[test]
fn weights_and_tiers_are_followed() {
    let check = |strategy, a: Entitlement, b: Entitlement, expected: &str| {
        let mut driver = server(one_by_one(strategy, book(&[("a", a), ("b", b)])));
        let backend = driver.connect();
        client(&mut driver, "x", &["-"]);
        for _ in 0..6 {
            client(&mut driver, "b", &["b"]);
            client(&mut driver, "a", &["a"]);
        }
        let order = order(&mut driver, backend);
        assert!(order.starts_with(expected), "{strategy}: {order}");
        assert_eq!(order.len(), 13, "all are served");
    };
    let count = |text: &str, who: char| text.chars().filter(|letter| *letter == who).count();
    check(StrategyKind::Tiers, terms(1, 0), terms(1, 1), "-aaaaaa");
    check(StrategyKind::Tiers, terms(1, 1), terms(1, 0), "-bbbbbb");
    check(StrategyKind::Wspt, terms(9, 0), terms(1, 0), "-aaaaaabbbbbb");
    for strategy in [StrategyKind::Fair, StrategyKind::Wfq, StrategyKind::Vtc] {
        let customers = book(&[("a", terms(3, 0)), ("b", terms(1, 0))]);
        let mut driver = server(one_by_one(strategy, customers));
        let backend = driver.connect();
        client(&mut driver, "x", &["-"]);
        for _ in 0..12 {
            client(&mut driver, "b", &["b"]);
            client(&mut driver, "a", &["a"]);
        }
        let order = order(&mut driver, backend);
        let share = count(&order[1..13], 'a');
        assert!((8..=10).contains(&share), "{strategy}: a has {share} of 12 in {order}");
    }
}

/// The status of what is answered at once, if anything, and when to come back.
fn at_once(driver: &mut Driven, customer: &str) -> Option<(u16, String)> {
    let conn = driver.accept();
    driver.receive(conn, &classify(customer, &["x"]));
    let text = driver.take_sent(conn);
    let (status, head, body) = answers(&text).into_iter().next()?;
    assert!(head.contains("retry-after: "), "{head}");
    Some((status, body))
}

#[test]
fn a_customer_over_its_quota_gets_429_and_nobody_else_does() {
    let limited = Entitlement { requests_max: Some(2), ..Entitlement::default() };
    let mut driver = server(ProxyConfig { customers: book(&[("a", limited)]), ..config() });
    let backend = driver.connect();
    assert_eq!(at_once(&mut driver, "a"), None);
    assert_eq!(at_once(&mut driver, "a"), None);
    let (status, body) = at_once(&mut driver, "a").expect("a refusal");
    assert_eq!(status, 429);
    assert!(body.contains(r#""reason":"customer-queue""#), "{body}");
    assert_eq!(at_once(&mut driver, "b"), None);
    batches(&mut driver, backend);
    reply(&mut driver, backend, &["r"]);
    assert_eq!(at_once(&mut driver, "a"), None, "one of its own has been answered");
    assert!(metrics(&mut driver).contains(r#"refused_total{reason="customer-queue"} 1"#));
}

#[test]
fn a_customer_may_be_held_to_bytes_and_to_work() {
    let bytes_max = Some(100);
    let work_max = Some(Duration::from_millis(25));
    let a = Entitlement { bytes_max, ..Entitlement::default() };
    let b = Entitlement { work_max, ..Entitlement::default() };
    let mut driver = server(one_by_one(StrategyKind::Fcfs, book(&[("a", a), ("b", b)])));
    let backend = driver.connect();
    client(&mut driver, "x", &["-"]);
    driver.advance(Duration::from_millis(10));
    reply(&mut driver, backend, &["r"]);
    client(&mut driver, "x", &["-"]);
    let ask = |driver: &mut Driven, customer: &str, length: usize| {
        let conn = client(driver, customer, &[&"x".repeat(length)]);
        let text = driver.take_sent(conn);
        let (status, head, body) = answers(&text).into_iter().next()?;
        assert_eq!(head.contains("retry-after: "), status != 413, "{head}");
        let body: serde_json::Value = serde_json::from_str(&body).expect("JSON");
        Some((status, body["reason"].as_str().expect("a reason").to_owned()))
    };
    // With its quotes a text of 98 characters has 100 bytes.
    assert_eq!(ask(&mut driver, "a", 99), Some((413, String::from("never-fits"))));
    assert_eq!(ask(&mut driver, "a", 58), None);
    assert_eq!(ask(&mut driver, "a", 39), Some((429, String::from("customer-bytes"))));
    assert_eq!(ask(&mut driver, "a", 38), None);
    // A batch takes ten milliseconds: with three queued there is more than 25 ms of work.
    for _ in 0..3 {
        assert_eq!(ask(&mut driver, "b", 1), None);
    }
    assert_eq!(ask(&mut driver, "b", 1), Some((429, String::from("customer-work"))));
    assert_eq!(ask(&mut driver, "c", 1), None);
}

#[test]
fn a_customer_over_its_rate_is_told_when_to_come_back() {
    let rate = Some(Rate { interval: Duration::from_millis(2_500), burst: 2 });
    let limited = Entitlement { rate, ..Entitlement::default() };
    let mut driver = server(ProxyConfig { customers: book(&[("a", limited)]), ..config() });
    driver.connect();
    assert_eq!(at_once(&mut driver, "a"), None);
    assert_eq!(at_once(&mut driver, "a"), None);
    let conn = client(&mut driver, "a", &["x"]);
    let text = driver.take_sent(conn);
    assert!(text.starts_with("HTTP/1.1 429 Too Many Requests"), "{text}");
    assert!(text.contains("retry-after: 3\r\n") && text.contains("customer-rate"), "{text}");
    assert_eq!(at_once(&mut driver, "b"), None);
    driver.advance(Duration::from_millis(2_500));
    assert_eq!(at_once(&mut driver, "a"), None);
    assert!(at_once(&mut driver, "a").is_some());
}

/// One book, handed over when the flag is up.
#[derive(Debug)]
struct Waiting {
    book: CustomerBook,
    is_there: AtomicBool,
}

impl Books for Waiting {
    fn take(&self) -> Option<CustomerBook> {
        self.is_there.swap(false, Ordering::Relaxed).then(|| self.book.clone())
    }
}

#[test]
fn a_new_book_is_followed_with_requests_queued() {
    let next = Arc::new(Waiting {
        book: book(&[("a", terms(1, 1)), ("b", terms(1, 0))]),
        is_there: AtomicBool::new(false),
    });
    let books: Arc<dyn Books> = next.clone();
    let first = book(&[("a", terms(1, 0)), ("b", terms(1, 1))]);
    let mut driver =
        server(ProxyConfig { books: Some(books), ..one_by_one(StrategyKind::Tiers, first) });
    let backend = driver.connect();
    client(&mut driver, "x", &["-"]);
    for _ in 0..3 {
        client(&mut driver, "a", &["a"]);
        client(&mut driver, "b", &["b"]);
    }
    next.is_there.store(true, Ordering::Relaxed);
    client(&mut driver, "b", &["b"]);
    assert_eq!(order(&mut driver, backend), "-bbbbaaa");
}

#[test]
fn a_tiers_deadline_counts_where_the_client_says_nothing() {
    let mut customers = book(&[("a", terms(1, 1))]);
    customers.deadlines[1] = Some(Duration::from_millis(200));
    let mut driver = server(ProxyConfig { customers, ..config() });
    driver.connect();
    let short = client(&mut driver, "a", &["x"]);
    let long = client(&mut driver, "b", &["x"]);
    driver.advance(Duration::from_millis(200));
    assert!(driver.take_sent(short).starts_with("HTTP/1.1 504"));
    assert_eq!(driver.take_sent(long), "");
}
