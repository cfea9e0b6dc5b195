//! A hundred thousand damaged requests: each gets a precise refusal or an answer, whole or in pieces.

use ringyard_protocol::http1::Status;

use crate::classifier::{classify, instant, sample};
use crate::driver::{Fate, answers};

/// The number that is promised.
const REQUESTS: usize = 100_000;

/// Requests after which the server is made anew, so that it has seen many bad ones before the last.
const REQUESTS_PER_SERVER: usize = 10_000;

/// Marsaglia's xorshift64 (Xorshift RNGs, 2003): damage that can be done again from its seed.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % bound as u64).expect("smaller than the bound")
    }

    fn byte(&mut self) -> u8 {
        // Half of the bytes mean something to a parser.
        const TELLING: &[u8] = b"\r\n\0\t :;,/{}[]\"\\%0159AZaz\x7f\x80\xff";
        if self.below(2) == 0 {
            TELLING[self.below(TELLING.len())]
        } else {
            u8::try_from(self.below(256)).expect("a byte")
        }
    }

    fn damage(&mut self, text: &mut Vec<u8>) {
        for _ in 0..=self.below(4) {
            if text.len() < 2 {
                return;
            }
            let place = self.below(text.len());
            match self.below(5) {
                0 => text[place] = self.byte(),
                1 => {
                    text.remove(place);
                }
                2 => text.insert(place, self.byte()),
                3 => text.truncate(place.max(1)),
                _ => {
                    let end = (place + self.below(20)).min(text.len());
                    let part = text[place..end].to_vec();
                    let to = self.below(text.len());
                    text.splice(to..to, part);
                }
            }
        }
    }
}

#[test]
fn no_request_is_too_damaged_for_a_sane_answer() {
    let mut random = Random(0x2545_f491_4f6c_dd1d);
    let mut driver = instant();
    for number in 0..REQUESTS {
        if number % REQUESTS_PER_SERVER == 0 {
            driver = instant();
        }
        let mut request = sample(random.below(8));
        random.damage(&mut request);

        let whole = driver.accept();
        driver.receive(whole, &request);
        let cut = driver.accept();
        let mut rest = request.as_slice();
        while !rest.is_empty() {
            let (piece, after) = rest.split_at(random.below(rest.len()) + 1);
            driver.receive(cut, piece);
            rest = after;
        }
        assert_eq!(driver.fate(cut), driver.fate(whole), "request {number}: {request:?}");
        let text = driver.take_sent(whole);
        assert_eq!(driver.take_sent(cut), text, "request {number}: {request:?}");
        // Answers to HEAD have no body, so the statuses are found by how a head begins.
        let list: Vec<u16> = text
            .match_indices("HTTP/1.1 ")
            .filter_map(|(start, begin)| text[start + begin.len()..].get(..3)?.parse().ok())
            .collect();
        for status in &list {
            let fine = *status < 500
                || *status == Status::NOT_IMPLEMENTED.code()
                || *status == Status::VERSION_NOT_SUPPORTED.code();
            assert!(fine, "request {number}: {status} for {request:?}");
        }
        assert_ne!(driver.fate(whole), Fate::Aborted);
        assert!(!list.is_empty() || driver.fate(whole) == Fate::Open, "request {number}");
        driver.forget(whole);
        driver.forget(cut);
    }
    let conn = driver.accept();
    driver.receive(conn, &classify(r#"{"sequences":["a"]}"#));
    assert_eq!(answers(&driver.take_sent(conn))[0].0, 200);
}
