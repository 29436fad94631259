//! The last day as a picture: a bar for each quarter of an hour, what was delivered below, what failed above.

use crate::clock::Timestamp;
use crate::relay::Count;

/// The time that a bar stands for, in ms.
const BAR: i64 = 15 * 60_000;
/// Bars of a day.
const BARS: usize = 96;
/// The picture's height, in its own units.
const HEIGHT: i64 = 100;
/// The least height of what is not nothing.
const LEAST: i64 = 3;
/// The step of the marks below the picture, in ms.
const MARK: i64 = 6 * 3_600_000;
/// The step of the table, in ms.
const HOUR: i64 = 3_600_000;

/// The picture, in units of its view box (10 for each bar).
pub(super) struct Chart {
    pub(super) bars: Vec<Bar>,
    /// The moments of the marks, from left to right.
    pub(super) marks: Vec<Timestamp>,
    /// The same by the hour, the newest first; hours without an attempt are left out.
    pub(super) hours: Vec<Count>,
    /// The highest bar's count.
    pub(super) most: i64,
}

/// One bar.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct Bar {
    pub(super) x: i64,
    pub(super) ok_y: i64,
    pub(super) ok_height: i64,
    pub(super) failed_y: i64,
    pub(super) failed_height: i64,
}

impl Chart {
    pub(super) fn new(steps: &[Count], now: Timestamp) -> Self {
        let end = now.millis() - now.millis().rem_euclid(BAR) + BAR;
        let begin = end - BAR * i64::try_from(BARS).unwrap_or(0);
        let mut sums = vec![(0, 0); BARS];
        for step in steps {
            let place = usize::try_from((step.begins_at.millis() - begin).div_euclid(BAR)).ok();
            if let Some((ok, failed)) = place.and_then(|place| sums.get_mut(place)) {
                *ok += step.ok;
                *failed += step.failed;
            }
        }
        let most = sums.iter().map(|(ok, failed)| ok + failed).max().unwrap_or(0);
        let height = |count: i64| if count == 0 { 0 } else { (count * HEIGHT / most.max(1)).max(LEAST) };
        let bars = sums.iter().zip(0_i64..).map(|((ok, failed), n)| {
            let failed_height = height(*failed);
            let ok_height = height(*ok).min(HEIGHT - failed_height);
            Bar {
                x: n * 10 + 1,
                ok_y: HEIGHT - ok_height,
                ok_height,
                failed_y: HEIGHT - ok_height - failed_height,
                failed_height,
            }
        });
        let bars = bars.filter(|bar| bar.ok_height + bar.failed_height > 0).collect();
        let marks = (0..4).map(|n| Timestamp(begin + n * MARK)).collect();
        Self { bars, marks, hours: hours(steps), most }
    }
}

fn hours(steps: &[Count]) -> Vec<Count> {
    let mut hours: Vec<Count> = Vec::new();
    for step in steps.iter().rev() {
        let begins_at = Timestamp(step.begins_at.millis() - step.begins_at.millis().rem_euclid(HOUR));
        match hours.last_mut().filter(|hour| hour.begins_at == begins_at) {
            Some(hour) => {
                hour.ok += step.ok;
                hour.failed += step.failed;
                hour.ms += step.ms;
            }
            None => hours.push(Count { begins_at, ..*step }),
        }
    }
    hours
}

impl Count {
    /// What an attempt took on average, in ms.
    pub(super) fn average(&self) -> i64 {
        self.ms / (self.ok + self.failed).max(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_stand_at_their_time_and_share_the_height() {
        let now = Timestamp(1_000 * 86_400_000 + 60_000);
        let ago = |minutes: i64, ok, failed| Count {
            begins_at: Timestamp(now.millis() - 60_000 - minutes * 60_000),
            ok,
            failed,
            ms: 40,
        };
        let chart = Chart::new(&[ago(60, 30, 10), ago(55, 0, 0), ago(0, 1, 0)], now);
        assert_eq!(chart.most, 40);
        let bar = |n: i64, ok_height, failed_height| Bar {
            x: n * 10 + 1,
            ok_y: 100 - ok_height,
            ok_height,
            failed_y: 100 - ok_height - failed_height,
            failed_height,
        };
        assert_eq!(chart.bars, [bar(91, 75, 25), bar(95, 3, 0)]);
        assert_eq!(
            chart.hours.iter().map(|hour| (hour.ok, hour.failed)).collect::<Vec<_>>(),
            [(1, 0), (30, 10)]
        );
        assert!(Chart::new(&[], now).bars.is_empty());
    }
}
