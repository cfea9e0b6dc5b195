//! The last decisions about the queue, for whoever wants to know why: what left with whom and at what cost, who
//! was refused, and when the strategy was switched.
//!
//! It keeps so many and overwrites the oldest; an entry's buffers go on to the entry that takes its place. It
//! explains nothing to the clients concerned: that is `explain`.

use std::collections::VecDeque;
use std::io::Write;
use std::time::Duration;

use ringyard_protocol::json;
use ringyard_runtime::app::Time;
use ringyard_scheduler::{AutoReason, Job, StrategyKind};

use super::explain::Facts;
use super::refusal::Refusal;
use crate::limits::DECISION_MEMBERS_KEPT;

/// Why the strategy was switched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Why {
    /// Somebody asked for it.
    Asked,
    /// `auto` chose it.
    Auto(AutoReason),
}

/// What was decided.
#[derive(Clone, Copy, Debug)]
enum Decision {
    Dispatch { facts: Facts, backend: usize, left_behind: usize, took: Option<Duration> },
    Refuse(Refusal),
    Switch { from: StrategyKind, to: StrategyKind, why: Why },
}

/// A member of a batch, or who was refused.
#[derive(Clone, Copy, Debug)]
struct Member {
    /// Where its customer's name ends among the names.
    name_end: usize,
    sequences: u32,
    longest: u32,
    queued: Duration,
}

#[derive(Debug)]
struct Entry {
    at: Time,
    decision: Decision,
    members: Vec<Member>,
    /// The members' customers, one after the other.
    names: String,
}

/// The last decisions.
#[derive(Debug)]
pub(super) struct Decisions {
    entries: VecDeque<Entry>,
    kept_max: u32,
}

impl Decisions {
    /// Keeps the last `kept_max`, at least one.
    pub(super) fn new(kept_max: u32) -> Self {
        Self { entries: VecDeque::new(), kept_max: kept_max.max(1) }
    }

    /// A batch leaves for a backend, and so many jobs stay in the queue.
    pub(super) fn dispatched<'a>(
        &mut self,
        now: Time,
        facts: Facts,
        backend: usize,
        left_behind: usize,
        members: impl Iterator<Item = (&'a str, &'a Job)>,
    ) {
        let decision = Decision::Dispatch { facts, backend, left_behind, took: None };
        let entry = self.add(now, decision);
        for (name, job) in members.take(DECISION_MEMBERS_KEPT) {
            entry.names.push_str(name);
            entry.members.push(Member {
                name_end: entry.names.len(),
                sequences: job.spec.sequences,
                longest: job.spec.longest,
                queued: now.since(job.arrived),
            });
        }
    }

    /// A backend has replied to a batch.
    pub(super) fn replied(&mut self, number: u64, batch_took: Duration) {
        for entry in self.entries.iter_mut().rev() {
            if let Decision::Dispatch { facts, took, .. } = &mut entry.decision
                && facts.number == number
            {
                *took = Some(batch_took);
                return;
            }
        }
    }

    /// A request of `customer` is refused.
    pub(super) fn refused(&mut self, now: Time, customer: &str, refusal: Refusal) {
        self.add(now, Decision::Refuse(refusal)).names.push_str(customer);
    }

    /// Another strategy is in force.
    pub(super) fn switched(&mut self, now: Time, from: StrategyKind, to: StrategyKind, why: Why) {
        self.add(now, Decision::Switch { from, to, why });
    }

    fn add(&mut self, now: Time, decision: Decision) -> &mut Entry {
        let entry = if self.entries.len() < self.kept_max as usize {
            Entry { at: now, decision, members: Vec::new(), names: String::new() }
        } else {
            let mut oldest = self.entries.pop_front().expect("at least one is kept");
            oldest.members.clear();
            oldest.names.clear();
            Entry { at: now, decision, ..oldest }
        };
        self.entries.push_back(entry);
        self.entries.back_mut().expect("one was added just now")
    }

    /// Appends all of them as JSON, the newest first. `backends` are the names of the backends.
    pub(super) fn write<'a>(
        &self,
        now: Time,
        backend: impl Fn(usize) -> &'a str,
        out: &mut Vec<u8>,
    ) {
        out.extend_from_slice(br#"{"decisions":["#);
        for (position, entry) in self.entries.iter().rev().enumerate() {
            if position > 0 {
                out.push(b',');
            }
            let age_us = now.since(entry.at).as_micros();
            print(out, format_args!(r#"{{"age_us":{age_us},"#));
            match &entry.decision {
                Decision::Dispatch { facts, backend: index, left_behind, took } => {
                    entry.write_dispatch(facts, backend(*index), *left_behind, *took, out);
                }
                Decision::Refuse(refusal) => {
                    let reason = refusal.reason.name();
                    print(
                        out,
                        format_args!(
                            r#""decision":"refuse","reason":"{reason}","retry_after_us":{},"customer":"#,
                            refusal.retry_after.as_micros()
                        ),
                    );
                    json::write_string(out, &entry.names);
                }
                Decision::Switch { from, to, why } => {
                    print(
                        out,
                        format_args!(
                            r#""decision":"switch","from":"{from}","to":"{to}","why":"{}""#,
                            match why {
                                Why::Asked => String::from("asked for"),
                                Why::Auto(reason) => reason.to_string(),
                            }
                        ),
                    );
                }
            }
            out.push(b'}');
        }
        out.extend_from_slice(b"]}");
    }
}

impl Entry {
    fn write_dispatch(
        &self,
        facts: &Facts,
        backend: &str,
        left_behind: usize,
        took: Option<Duration>,
        out: &mut Vec<u8>,
    ) {
        let Facts { number, requests, sequences, sequences_max, strategy, composition, .. } = facts;
        print(
            out,
            format_args!(r#""decision":"dispatch","batch":{number},"strategy":"{strategy}","#),
        );
        print(out, format_args!(r#""composition":"{composition}","requests":{requests},"#));
        print(out, format_args!(r#""sequences":{sequences},"sequences_max":{sequences_max},"#));
        let predicted_us = facts.predicted.duration().as_micros();
        print(out, format_args!(r#""left_behind":{left_behind},"predicted_us":{predicted_us},"#));
        match took {
            Some(took) => print(out, format_args!(r#""actual_us":{},"#, took.as_micros())),
            None => print(out, format_args!(r#""actual_us":null,"#)),
        }
        out.extend_from_slice(br#""backend":"#);
        json::write_string(out, backend);
        print(out, format_args!(r#","balance":"{}","chosen":"#, facts.policy));
        json::write_string(out, &facts.chosen.to_string());
        out.extend_from_slice(br#","members":["#);
        let mut name_start = 0;
        for (position, member) in self.members.iter().enumerate() {
            let separator = if position == 0 { "" } else { "," };
            print(out, format_args!(r#"{separator}{{"customer":"#));
            json::write_string(out, &self.names[name_start..member.name_end]);
            name_start = member.name_end;
            let role = facts.role_of(position).name();
            let Member { sequences, longest, queued, .. } = member;
            let queued_us = queued.as_micros();
            print(out, format_args!(r#","role":"{role}","sequences":{sequences},"#));
            print(out, format_args!(r#""longest":{longest},"queued_us":{queued_us}}}"#));
        }
        out.push(b']');
    }
}

fn print(out: &mut Vec<u8>, text: std::fmt::Arguments<'_>) {
    out.write_fmt(text).expect("a vector takes all writes");
}

#[cfg(test)]
mod tests {
    use ringyard_scheduler::balance;
    use ringyard_scheduler::{Batch, CustomerId, JobSpec, Scheduler, SchedulerConfig, Slot};

    use super::super::refusal::Reason;
    use super::*;

    fn batch(requests: u64) -> Batch {
        let mut scheduler = Scheduler::new(SchedulerConfig::default());
        for tag in 0..requests {
            scheduler.push(JobSpec::new(CustomerId(0), 1, 7, tag), Time::ZERO).unwrap();
        }
        let mut batch = Batch::default();
        assert!(scheduler.pop_batch(
            Time::FAR_FUTURE,
            &Slot { sequences_max: u32::MAX },
            &mut batch
        ));
        batch
    }

    fn written(decisions: &Decisions) -> serde_json::Value {
        let mut out = Vec::new();
        decisions.write(Time::ZERO + Duration::from_micros(9), |_| "a \"backend\"", &mut out);
        serde_json::from_slice(&out).unwrap()
    }

    #[test]
    fn the_newest_are_kept_and_told_first() {
        let mut decisions = Decisions::new(3);
        let batch = batch(2);
        let chosen = balance::Reason::Lowest { score: 1.0, considered: 2 };
        let facts = Facts { number: 7, requests: 2, anchor: 1, chosen, ..Facts::default() };
        decisions.switched(Time::ZERO, StrategyKind::Fcfs, StrategyKind::Sjf, Why::Asked);
        let members = batch.jobs.iter().map(|job| ("A\\", job));
        decisions.dispatched(Time::ZERO, facts, 0, 3, members);
        let refusal = Refusal { reason: Reason::QueueFull, retry_after: Duration::from_micros(5) };
        decisions.refused(Time::ZERO, "B", refusal);
        decisions.replied(7, Duration::from_micros(4));
        let why = Why::Auto(AutoReason::Crowded);
        decisions.switched(Time::ZERO, StrategyKind::Sjf, StrategyKind::Fair, why);
        let value = written(&decisions);
        let list = value["decisions"].as_array().unwrap();
        assert_eq!(list.len(), 3);
        assert_eq!(list[0]["why"], "several customers are waiting");
        assert_eq!((&list[1]["reason"], &list[1]["customer"]), (&"queue-full".into(), &"B".into()));
        assert_eq!(list[2]["actual_us"], 4);
        assert_eq!(list[2]["members"][0]["role"], "rider");
        assert_eq!(list[2]["members"][1]["role"], "anchor");
        assert_eq!(list[2]["members"][1]["customer"], "A\\");
        assert_eq!(list[2]["backend"], "a \"backend\"");
        assert_eq!(list[2]["age_us"], 9);
        assert_eq!(list[2]["balance"], "least_request");
        assert_eq!(list[2]["chosen"], "lowest score 1.0000 of 2");
    }

    #[test]
    fn the_members_of_one_decision_are_bounded() {
        let mut decisions = Decisions::new(1);
        let batch = batch(DECISION_MEMBERS_KEPT as u64 + 9);
        let facts = Facts { requests: batch.jobs.len(), ..Facts::default() };
        let members = batch.jobs.iter().map(|job| ("A", job));
        decisions.dispatched(Time::ZERO, facts, 0, 0, members);
        let value = written(&decisions);
        let told = &value["decisions"][0];
        assert_eq!(told["requests"], DECISION_MEMBERS_KEPT + 9);
        assert_eq!(told["members"].as_array().unwrap().len(), DECISION_MEMBERS_KEPT);
    }

    #[test]
    fn what_is_overwritten_leaves_its_buffers() {
        let mut decisions = Decisions::new(4);
        let batch = batch(5);
        let mut note = |rounds| {
            for _ in 0..rounds {
                let members = batch.jobs.iter().map(|job| ("customer", job));
                decisions.dispatched(Time::ZERO, Facts::default(), 0, 0, members);
            }
        };
        note(4);
        let counted = allocation_counter::measure(|| note(100));
        assert_eq!(counted.count_total, 0);
    }
}
