//! When which host suffers what: [`HostFaults`] turned into actions with their times.

use std::time::Duration;

use ringyard_time::Time;

use super::faults::{HostFaults, Outages};
use super::random::Random;
use super::{Action, HostId};

/// What happens to `victims` up to `calm`, drawn from `random`. Every outage is over by then: whoever was
/// killed has been started again. Partitions cut a victim off from one of `others`.
#[must_use]
pub fn timetable(
    faults: &HostFaults,
    random: &mut Random,
    victims: &[HostId],
    others: &[HostId],
    calm: Time,
) -> Vec<(Time, Action)> {
    let HostFaults { kill, power_cut, freeze, partition } = faults;
    let mut table = Vec::new();
    for &host in victims {
        outages(*kill, random, calm, |_, start, length| {
            table.push((start, Action::Kill(host)));
            table.push((start + length, Action::Boot(host)));
        });
        outages(*power_cut, random, calm, |_, start, length| {
            table.push((start, Action::PowerCut(host)));
            table.push((start + length, Action::Boot(host)));
        });
        outages(*freeze, random, calm, |_, start, length| {
            table.push((start, Action::Freeze { host, length }));
        });
        outages(*partition, random, calm, |random, start, length| {
            if !others.is_empty() {
                let hosts = [host, others[random.index(others.len())]];
                table.push((start, Action::Partition { hosts, length }));
            }
        });
    }
    table
}

/// Calls `one` with the beginning and the length of each outage that is over by `calm`.
fn outages(
    kind: Option<Outages>,
    random: &mut Random,
    calm: Time,
    mut one: impl FnMut(&mut Random, Time, Duration),
) {
    let Some(Outages { pause, length }) = kind else { return };
    let mut time = Time::ZERO;
    loop {
        time += random.duration(pause);
        let length = random.duration(length);
        if time + length >= calm {
            return;
        }
        one(random, time, length);
        time += length;
    }
}

#[cfg(test)]
mod tests {
    use super::super::Faults;
    use super::*;

    #[test]
    fn every_outage_ends_before_the_calm() {
        let hosts = [HostId(3), HostId(4)];
        let calm = Time::ZERO + Duration::from_secs(60);
        let faults = Faults::harsh().hosts;
        let table = timetable(&faults, &mut Random::new(5), &hosts, &[HostId(0)], calm);
        assert!(table.len() > 10, "a harsh minute brings more than {} outages", table.len());
        for (time, action) in &table {
            let length = match *action {
                Action::Freeze { length, .. } | Action::Partition { length, .. } => length,
                _ => Duration::ZERO,
            };
            assert!(*time + length < calm, "{action:?} at {time}");
        }
        for host in hosts {
            let last = table.iter().filter(|(_, action)| {
                matches!(action, Action::Kill(who) | Action::PowerCut(who) | Action::Boot(who)
                    if *who == host)
            });
            let last = last.max_by_key(|(time, _)| *time).map(|(_, action)| *action);
            assert_eq!(last, Some(Action::Boot(host)));
        }
    }
}
