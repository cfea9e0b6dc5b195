//! The `Date` header's value, formatted once a second instead of once a response.

/// Seconds of a day.
const DAY_SECONDS: u64 = 86_400;

/// 9999-12-31 23:59:59, the last second that the format can tell.
const LAST_SECOND: u64 = 253_402_300_799;

const WEEKDAYS: [&[u8; 3]; 7] = [b"Thu", b"Fri", b"Sat", b"Sun", b"Mon", b"Tue", b"Wed"];
const MONTHS: [&[u8; 3]; 12] = [
    b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec",
];

/// A date as HTTP writes it: `Sun, 06 Nov 1994 08:49:37 GMT`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DateCache {
    second: u64,
    text: [u8; 29],
}

impl DateCache {
    /// The date 1970-01-01 00:00:00, until refreshed.
    #[must_use]
    pub fn new() -> Self {
        Self { second: 0, text: format(0) }
    }

    /// Sets the date to so many seconds after 1970-01-01 00:00:00 UTC. Costs a comparison where the second
    /// has not changed.
    #[inline]
    pub fn refresh(&mut self, unix_seconds: u64) {
        if self.second != unix_seconds {
            self.second = unix_seconds;
            self.text = format(unix_seconds);
        }
    }

    /// The date.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 29] {
        &self.text
    }
}

impl Default for DateCache {
    fn default() -> Self {
        Self::new()
    }
}

fn format(unix_seconds: u64) -> [u8; 29] {
    let seconds = unix_seconds.min(LAST_SECOND);
    let (days, second) = (seconds / DAY_SECONDS, seconds % DAY_SECONDS);
    let (year, month_index, day) = calendar(days);
    let mut text = *b"Thu, 01 Jan 1970 00:00:00 GMT";
    text[..3].copy_from_slice(WEEKDAYS[(days % 7) as usize]);
    put_digits(&mut text[5..7], day);
    text[8..11].copy_from_slice(MONTHS[month_index]);
    put_digits(&mut text[12..16], year);
    put_digits(&mut text[17..19], second / 3600);
    put_digits(&mut text[20..22], second / 60 % 60);
    put_digits(&mut text[23..25], second % 60);
    text
}

/// Year, month counted from 0, and day of the month, of the day so many days after 1970-01-01.
///
/// Counts in years that start in March, so that the leap day is the last of its year.
fn calendar(days: u64) -> (u64, usize, u64) {
    const ERA_DAYS: u64 = 146_097;
    const DAYS_FROM_MARCH_OF_YEAR_0: u64 = 719_468;
    let days = days + DAYS_FROM_MARCH_OF_YEAR_0;
    let (era, day_of_era) = (days / ERA_DAYS, days % ERA_DAYS);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let months_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * months_from_march + 2) / 5 + 1;
    let month_index = (months_from_march + 2) % 12;
    let year = era * 400 + year_of_era + u64::from(month_index < 2);
    (year, month_index as usize, day)
}

fn put_digits(place: &mut [u8], value: u64) {
    let mut rest = value;
    for digit in place.iter_mut().rev() {
        *digit = b'0' + (rest % 10) as u8;
        rest /= 10;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(unix_seconds: u64, expected: &str) {
        let mut date = DateCache::new();
        date.refresh(unix_seconds);
        assert_eq!(std::str::from_utf8(date.as_bytes()), Ok(expected));
    }

    #[test]
    fn dates_are_those_of_the_calendar() {
        check(0, "Thu, 01 Jan 1970 00:00:00 GMT");
        check(784_111_777, "Sun, 06 Nov 1994 08:49:37 GMT");
        check(951_782_399, "Mon, 28 Feb 2000 23:59:59 GMT");
        check(951_782_400, "Tue, 29 Feb 2000 00:00:00 GMT");
        check(951_868_800, "Wed, 01 Mar 2000 00:00:00 GMT");
        check(1_767_225_599, "Wed, 31 Dec 2025 23:59:59 GMT");
        check(4_107_542_400, "Mon, 01 Mar 2100 00:00:00 GMT");
        check(LAST_SECOND, "Fri, 31 Dec 9999 23:59:59 GMT");
        check(u64::MAX, "Fri, 31 Dec 9999 23:59:59 GMT");
    }

    #[test]
    fn every_day_follows_the_one_before() {
        let length = |year: u64, month: usize| match month {
            1 if year.is_multiple_of(if year.is_multiple_of(100) { 400 } else { 4 }) => 29,
            1 => 28,
            3 | 5 | 8 | 10 => 30,
            _ => 31,
        };
        let mut expected = (1970, 0, 1);
        for days in 0..200_000 {
            assert_eq!(calendar(days), expected);
            let (year, month, day) = expected;
            expected = match (month, day == length(year, month)) {
                (11, true) => (year + 1, 0, 1),
                (_, true) => (year, month + 1, 1),
                (_, false) => (year, month, day + 1),
            };
        }
    }
}
