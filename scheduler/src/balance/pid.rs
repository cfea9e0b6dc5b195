//! The proportional-integral-derivative controller that some weights are steered by.
//!
//! One step has no notion of time: who calls it once per tick and who once per pick is up to the caller.

/// The three gains of a controller, and an optional bound against wind-up.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Gains {
    /// Share of the present error.
    pub proportional: f64,
    /// Share of the summed error.
    pub integral: f64,
    /// Share of the change of the error.
    pub derivative: f64,
    /// Bound on the magnitude of the summed error; infinite for none.
    pub integral_bound: f64,
}

impl Gains {
    /// The server-side controller's: 1, 1/50, 5, unbounded.
    pub const SERVER: Self =
        Self { proportional: 1.0, integral: 0.02, derivative: 5.0, integral_bound: f64::INFINITY };

    /// The client-side controller's: 1, 1/30, 3, unbounded.
    pub const CLIENT: Self = Self {
        proportional: 1.0,
        integral: 1.0 / 30.0,
        derivative: 3.0,
        integral_bound: f64::INFINITY,
    };
}

/// A controller's state: the sum of its errors and the last one.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Pid {
    integral: f64,
    previous_error: f64,
}

impl Pid {
    /// One step towards `target`: `kp * e + ki * sum(e) + kd * (e - previous e)`.
    #[inline]
    pub fn update(&mut self, gains: &Gains, value: f64, target: f64) -> f64 {
        let error = target - value;
        self.integral = (self.integral + error).clamp(-gains.integral_bound, gains.integral_bound);
        let change = error - self.previous_error;
        self.previous_error = error;
        gains.proportional * error + gains.integral * self.integral + gains.derivative * change
    }
}

/// Load above which the steering target no longer leads the average, percent.
const TARGET_LEAD_UNTIL: f64 = 80.0;
/// How far the target leads the average below that, percentage points.
const TARGET_LEAD: f64 = 10.0;

/// The utilisation to steer towards when the average is `average` percent.
#[inline]
#[must_use]
pub fn target_utilization(average: f64) -> f64 {
    if average < TARGET_LEAD_UNTIL { average + TARGET_LEAD } else { average }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_step_from_idle_is_sixty_point_two() {
        let step = Pid::default().update(&Gains::SERVER, 0.0, target_utilization(0.0));
        assert!((step - 60.2).abs() < 1e-12, "{step}");
    }

    #[test]
    fn follows_the_logged_sequence() {
        let mut pid = Pid { integral: 420.6 - (56.6575 + 10.0 - 31.3043), previous_error: 31.772 };
        let first = pid.update(&Gains::SERVER, 31.3043, target_utilization(56.6575));
        let second = pid.update(&Gains::SERVER, 23.4783, target_utilization(56.7472));
        assert!((first - 61.6707).abs() < 0.01, "{first}");
        assert!((second - 92.1257).abs() < 0.01, "{second}");
    }

    #[test]
    fn the_bound_stops_wind_up() {
        let gains = Gains { integral_bound: 50.0, ..Gains::SERVER };
        let mut pid = Pid::default();
        for _ in 0..1_000 {
            pid.update(&gains, 0.0, 100.0);
        }
        assert_eq!(pid.integral, 50.0);
    }
}
