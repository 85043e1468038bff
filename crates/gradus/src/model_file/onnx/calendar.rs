//! The parts of points in time as a graph: seconds since 1970 in, year, month, day of the week, ... out, as
//! `transform::columns::TimePart` has them.
//!
//! All columns of times together are a matrix of int64. ONNX divides whole numbers towards 0, and its remainder has the sign of
//! the divisor, so a division that rounds down is one of what the remainder leaves.

use super::messages::{Node, Tensor, element};
use super::parts::{doubles, int, integer, node};
use crate::data::TIME_GAP;
use crate::transform::columns::TimePart;

/// Nodes that compute parts of the value `times`, of shape samples x columns.
#[derive(Default)]
pub(super) struct Calendar {
    pub(super) nodes: Vec<Node>,
    pub(super) constants: Vec<Tensor>,
    /// The values that nodes compute so far.
    known: Vec<String>,
}

impl Calendar {
    /// Adds what computes a part, in double precision and NaN for gaps; returns the name of the value.
    pub(super) fn part(&mut self, part: TimePart) -> String {
        self.seconds();
        let exact = match part {
            TimePart::Year => {
                self.date();
                self.double("time_year")
            }
            TimePart::Month => {
                self.date();
                self.double("time_month")
            }
            TimePart::Weekday => {
                // The first of January 1970 was a Thursday.
                self.with("Add", "time_days", 3, "time_from_monday");
                self.with("Mod", "time_from_monday", 7, "time_weekday");
                self.double("time_weekday")
            }
            TimePart::DaySine | TimePart::DayCosine => self.angle(part),
            TimePart::Elapsed => {
                let (days, in_day) = (self.double("time_days"), self.double("time_in_day"));
                self.with_double("Div", &in_day, 86_400.0, "time_of_day");
                self.step("Add", &[&days, "time_of_day"], "time_elapsed")
            }
            TimePart::Hour => {
                let in_day = self.double("time_in_day");
                self.with_double("Div", &in_day, 3600.0, "time_hour")
            }
        };
        self.step("Add", &[&exact, "time_gap_nan"], &format!("time_part_{part:?}").to_lowercase())
    }

    /// Days since 1970 and seconds since midnight; 0 for a gap, and what makes NaN of it in the end.
    fn seconds(&mut self) {
        self.with("Equal", "times", TIME_GAP, "is_time_gap");
        self.whole(0);
        self.step("Where", &["is_time_gap", "int_0", "times"], "known_times");
        let gap = ["time_nan", "time_0"];
        if self.is_new("time_gap_nan") {
            self.constants
                .extend([doubles(gap[0], &[], &[f64::NAN]), doubles(gap[1], &[], &[0.0])]);
            self.nodes.push(node(
                "Where",
                &["is_time_gap", gap[0], gap[1]],
                "time_gap_nan",
                vec![],
            ));
        }
        self.with("Mod", "known_times", 86_400, "time_in_day");
        self.step("Sub", &["known_times", "time_in_day"], "time_midnight");
        self.with("Div", "time_midnight", 86_400, "time_days");
    }

    /// Year and month of the days: years are counted from March, in eras of 400 years.
    fn date(&mut self) {
        self.with("Add", "time_days", 719_468, "time_from_0000");
        self.with("Mod", "time_from_0000", 146_097, "time_of_era");
        self.step("Sub", &["time_from_0000", "time_of_era"], "time_era_start");
        self.with("Div", "time_era_start", 146_097, "time_era");
        for (days, name) in
            [(1460, "time_leap4"), (36_524, "time_leap100"), (146_096, "time_leap400")]
        {
            self.with("Div", "time_of_era", days, name);
        }
        self.step("Sub", &["time_of_era", "time_leap4"], "time_without4");
        self.step("Add", &["time_without4", "time_leap100"], "time_with100");
        self.step("Sub", &["time_with100", "time_leap400"], "time_without400");
        self.with("Div", "time_without400", 365, "time_era_year");
        self.with("Mul", "time_era_year", 365, "time_year_days");
        self.with("Div", "time_era_year", 4, "time_year4");
        self.with("Div", "time_era_year", 100, "time_year100");
        self.step("Add", &["time_year_days", "time_year4"], "time_year_days4");
        self.step("Sub", &["time_year_days4", "time_year100"], "time_year_start");
        self.step("Sub", &["time_of_era", "time_year_start"], "time_from_march");
        self.with("Mul", "time_from_march", 5, "time_march5");
        self.with("Add", "time_march5", 2, "time_march52");
        self.with("Div", "time_march52", 153, "time_march_month");
        self.with("Add", "time_march_month", 2, "time_month_2");
        self.with("Mod", "time_month_2", 12, "time_month_0");
        self.with("Add", "time_month_0", 1, "time_month");
        self.with("Less", "time_month", 3, "time_is_early");
        self.cast("time_is_early", element::INT64, "time_early");
        self.with("Mul", "time_era", 400, "time_era_years");
        self.step("Add", &["time_era_years", "time_era_year"], "time_march_year");
        self.step("Add", &["time_march_year", "time_early"], "time_year");
    }

    /// The sine or cosine of the day of the year as an angle. ONNX Runtime has no cosine in double precision.
    fn angle(&mut self, part: TimePart) -> String {
        self.date();
        // From the first of January to the first of March there are 59 days, and 60 in leap years, which are those of the era
        // that 4 divides, but not 100, or the first.
        self.with("Mod", "time_era_year", 4, "time_mod4");
        self.with("Equal", "time_mod4", 0, "time_is_4");
        self.with("Mod", "time_era_year", 100, "time_mod100");
        self.with("Greater", "time_mod100", 0, "time_is_not_100");
        self.with("Equal", "time_era_year", 0, "time_is_400");
        self.step("Or", &["time_is_not_100", "time_is_400"], "time_may_leap");
        self.step("And", &["time_is_4", "time_may_leap"], "time_is_leap");
        self.cast("time_is_leap", element::INT64, "time_leap_day");
        self.with("Add", "time_from_march", 59, "time_common_day");
        self.step("Add", &["time_common_day", "time_leap_day"], "time_late_day");
        self.with("Sub", "time_from_march", 306, "time_early_day");
        self.step("Where", &["time_is_early", "time_early_day", "time_late_day"], "time_day");
        let day = self.double("time_day");
        self.with_double("Mul", &day, std::f64::consts::TAU, "time_turns");
        self.with_double("Div", "time_turns", 365.25, "time_angle");
        match part {
            TimePart::DayCosine => {
                let quarter = std::f64::consts::FRAC_PI_2;
                self.with_double("Add", "time_angle", quarter, "time_cosine_angle");
                self.step("Sin", &["time_cosine_angle"], "time_day_cosine")
            }
            _ => self.step("Sin", &["time_angle"], "time_day_sine"),
        }
    }

    /// Whether a value has not been computed before; it has afterwards.
    fn is_new(&mut self, name: &str) -> bool {
        let is_new = !self.known.iter().any(|it| it == name);
        if is_new {
            self.known.push(name.to_owned());
        }
        is_new
    }

    fn step(&mut self, op: &str, inputs: &[&str], output: &str) -> String {
        if self.is_new(output) {
            self.nodes.push(node(op, inputs, output, vec![]));
        }
        output.to_owned()
    }

    /// A whole number as a constant.
    fn whole(&mut self, value: i64) -> String {
        let name = match value {
            TIME_GAP => "int_gap".to_owned(),
            value => format!("int_{value}"),
        };
        if self.is_new(&name) {
            self.constants.push(integer(&name, value));
        }
        name
    }

    /// A step with a whole number.
    fn with(&mut self, op: &str, input: &str, value: i64, output: &str) -> String {
        let constant = self.whole(value);
        self.step(op, &[input, &constant], output)
    }

    /// A step with a number.
    fn with_double(&mut self, op: &str, input: &str, value: f64, output: &str) -> String {
        let constant = format!("{output}_by");
        if self.is_new(&constant) {
            self.constants.push(doubles(&constant, &[], &[value]));
        }
        self.step(op, &[input, &constant], output)
    }

    fn cast(&mut self, input: &str, to: i32, output: &str) -> String {
        if self.is_new(output) {
            self.nodes.push(node("Cast", &[input], output, vec![int("to", to.into())]));
        }
        output.to_owned()
    }

    /// A whole number in double precision.
    fn double(&mut self, input: &str) -> String {
        self.cast(input, element::DOUBLE, &format!("{input}_double"))
    }
}
