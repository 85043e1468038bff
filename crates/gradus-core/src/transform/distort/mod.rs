//! Random distortions of grey images, anew for each sample in each epoch (docs/maths.md M19).
//!
//! In: a text such as `shift:2,rotate:10`. Out: a [`Distortion`], which says how strong each kind may be. A
//! [`Distorter`] (`distorter.rs`), made from it once a run, turns one image into another.

mod distorter;

#[doc(hidden)] // for the other crates of gradus
pub use distorter::{Distorter, Scratch};

use crate::error::{Error, Result};

/// How strong each distortion may be; 0 for none. All values are drawn uniformly and independently.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Distortion {
    /// Largest move along x and along y, in pixels.
    pub shift: f32,
    /// Largest turn about the centre of the image, in degrees.
    pub rotate: f32,
    /// Largest growth or shrinkage, as a share: 0.15 for factors of 0.85 to 1.15, one for the width
    /// and one for the height.
    pub scale: f32,
    /// Largest slant: how far the upper and the lower edge may move apart along x, as a share of
    /// the height.
    pub shear: f32,
    /// Displacements that differ from pixel to pixel.
    pub elastic: Option<Elastic>,
}

/// Elastic distortion: noise in -1..1 for each pixel and direction, convolved with a Gaussian whose
/// values sum to 1, times `alpha` (Simard, Steinkraus and Platt 2003).
///
/// Far from the border each displacement is nearly normal, with standard deviation
/// `alpha / (2 sqrt(3 pi) sigma)`: 1.1 pixels for 36 and 5.5.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Elastic {
    /// Factor of the smoothed noise, in pixels.
    pub alpha: f32,
    /// Standard deviation of the Gaussian, in pixels.
    pub sigma: f32,
}

/// A setting, its range and what it is.
type Limit = (&'static str, f32, f32, &'static str);

const SHIFT: Limit = ("shift", 0.0, 1000.0, "pixels");
const ROTATE: Limit = ("rotate", 0.0, 180.0, "degrees");
const SCALE: Limit = ("scale", 0.0, 0.9, "a share of the size");
const SHEAR: Limit = ("shear", 0.0, 2.0, "a share of the height");
const ALPHA: Limit = ("elastic's alpha", 0.0, 10_000.0, "pixels");
const SIGMA: Limit = ("elastic's sigma", 0.1, 100.0, "pixels");

impl Distortion {
    /// Leaves images as they are.
    pub const NONE: Distortion =
        Distortion { shift: 0.0, rotate: 0.0, scale: 0.0, shear: 0.0, elastic: None };

    /// For digits of 28 x 28 pixels. Elastic distortion, scaling and a turn or slant up to 7.5 to
    /// 15 degrees as in Ciresan et al. 2010, who take a turn or a slant where this takes both.
    pub const STANDARD: Distortion = Distortion {
        shift: 1.0,
        rotate: 10.0,
        scale: 0.15,
        shear: 0.15,
        elastic: Some(Elastic { alpha: 36.0, sigma: 5.5 }),
    };

    /// Stronger, for long runs: what `standard` does to digits is learned by heart in the end.
    pub const STRONG: Distortion = Distortion {
        shift: 2.0,
        rotate: 12.0,
        scale: 0.18,
        shear: 0.2,
        elastic: Some(Elastic { alpha: 40.0, sigma: 5.5 }),
    };

    /// Whether images stay as they are.
    pub fn is_none(&self) -> bool {
        *self == Distortion::NONE
    }

    /// Reads `none`, `standard`, `strong`, or parts such as
    /// `shift:2,rotate:10,scale:0.1,shear:0.1,elastic:36:6`, of which any may be left out.
    ///
    /// # Errors
    /// `InvalidArgument` if a part is not known, comes twice or is out of range.
    pub fn parse(text: &str) -> Result<Distortion> {
        match text.trim() {
            "none" => return Ok(Distortion::NONE),
            "standard" => return Ok(Distortion::STANDARD),
            "strong" => return Ok(Distortion::STRONG),
            _ => {}
        }
        let mut distortion = Distortion::NONE;
        let mut seen = Vec::new();
        for part in text.split(',').map(str::trim) {
            let (kind, values) = part.split_once(':').ok_or_else(|| unknown(part))?;
            if seen.contains(&kind) {
                return Err(Error::argument(format!("distortion '{text}' has {kind} twice")));
            }
            seen.push(kind);
            distortion.set(kind, values).ok_or_else(|| unknown(part))?;
        }
        distortion.validate()?;
        Ok(distortion)
    }

    /// Sets one kind of distortion; `None` if there is no such kind or no number.
    fn set(&mut self, kind: &str, values: &str) -> Option<()> {
        let number = |text: &str| text.parse::<f32>().ok();
        match kind {
            "shift" => self.shift = number(values)?,
            "rotate" => self.rotate = number(values)?,
            "scale" => self.scale = number(values)?,
            "shear" => self.shear = number(values)?,
            "elastic" => {
                let (alpha, sigma) = values.split_once(':')?;
                self.elastic = Some(Elastic { alpha: number(alpha)?, sigma: number(sigma)? });
            }
            _ => return None,
        }
        Some(())
    }

    /// The form that [`Distortion::parse`] reads.
    pub fn name(&self) -> String {
        let mut parts = Vec::new();
        for ((name, ..), value) in self.single() {
            if value != 0.0 {
                parts.push(format!("{name}:{value}"));
            }
        }
        if let Some(Elastic { alpha, sigma }) = self.elastic {
            parts.push(format!("elastic:{alpha}:{sigma}"));
        }
        if parts.is_empty() { "none".into() } else { parts.join(",") }
    }

    /// The settings that are one number each.
    fn single(&self) -> [(Limit, f32); 4] {
        [(SHIFT, self.shift), (ROTATE, self.rotate), (SCALE, self.scale), (SHEAR, self.shear)]
    }

    /// Checks every setting.
    ///
    /// # Errors
    /// `InvalidArgument` with the setting that is out of range, and its range.
    pub fn validate(&self) -> Result<()> {
        let elastic = self.elastic.map(|elastic| [(ALPHA, elastic.alpha), (SIGMA, elastic.sigma)]);
        for ((name, least, most, unit), value) in
            self.single().into_iter().chain(elastic.into_iter().flatten())
        {
            if !(least..=most).contains(&value) {
                return Err(Error::argument(format!(
                    "distortion: {name} is {value}, but must be {least} to {most} ({unit})"
                )));
            }
        }
        Ok(())
    }
}

fn unknown(part: &str) -> Error {
    Error::argument(format!(
        "distortion '{part}' is not known: expected none, standard, strong, or some of \
         shift:PIXELS, rotate:DEGREES, scale:SHARE, shear:SHARE and elastic:ALPHA:SIGMA, such as \
         shift:2,rotate:10,elastic:36:6"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Distortion {
        Distortion::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"))
    }

    #[test]
    fn names_are_read_back() {
        for text in [
            "none",
            "shift:2",
            "shift:2,rotate:10,scale:0.1,shear:0.1,elastic:36:6",
            "rotate:7.5,elastic:34:4",
        ] {
            assert_eq!(parse(text).name(), text);
        }
        let all = Distortion {
            shift: 2.0,
            rotate: 10.0,
            scale: 0.1,
            shear: 0.25,
            elastic: Some(Elastic { alpha: 36.0, sigma: 6.0 }),
        };
        assert_eq!(parse("elastic:36:6, shear:.25,scale:1e-1 ,rotate:10,shift:2"), all);
        for (name, named) in [("standard", Distortion::STANDARD), ("strong", Distortion::STRONG)] {
            assert_eq!(parse(name), named);
            assert_eq!(parse(&named.name()), named);
        }
        assert!(parse("none").is_none() && parse("shift:0,shear:-0").is_none());
        assert!(!parse("elastic:36:6").is_none());
        let json = serde_json::to_string(&all).unwrap();
        assert_eq!(serde_json::from_str::<Distortion>(&json).unwrap(), all);
    }

    #[test]
    fn wrong_texts_are_named() {
        for (text, message) in [
            ("", "''"),
            ("mnist", "'mnist' is not known"),
            ("shift", "'shift' is not known"),
            ("shift:two", "'shift:two'"),
            ("twist:2", "'twist:2'"),
            ("elastic:36", "'elastic:36'"),
            ("shift:1,", "''"),
            ("shift:1,shift:2", "shift twice"),
            ("shift:-1", "shift is -1, but must be 0 to 1000 (pixels)"),
            ("rotate:181", "must be 0 to 180 (degrees)"),
            ("scale:1", "must be 0 to 0.9"),
            ("shear:inf", "shear is inf"),
            ("shift:nan", "shift is NaN"),
            ("elastic:36:0", "elastic's sigma is 0, but must be 0.1 to 100"),
            ("elastic:-1:5", "elastic's alpha is -1"),
        ] {
            let error = Distortion::parse(text).expect_err(text);
            assert_eq!(error.kind(), crate::error::ErrorKind::InvalidArgument);
            assert!(error.to_string().contains(message), "{text}: {error}");
        }
    }
}
