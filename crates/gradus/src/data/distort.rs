//! STUB to be replaced.
use crate::data::Dataset;
use crate::error::Result;
/// s
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Distortion {
    /// s
    pub shift: f32,
}
impl Distortion {
    /// s
    pub const NONE: Distortion = Distortion { shift: 0.0 };
    /// s
    pub fn is_none(&self) -> bool {
        true
    }
    /// s
    pub fn validate(&self) -> Result<()> {
        Ok(())
    }
}
/// s
#[derive(Default)]
pub struct Scratch;
/// s
pub struct Distorter;
impl Distorter {
    /// s
    pub fn new(_k: gradus_kernels::Kernels, _d: Distortion, _data: &Dataset) -> Result<Distorter> {
        Ok(Distorter)
    }
    /// s
    pub fn distort(&self, _s: u64, _e: u64, _i: u64, _x: &[u8], _o: &mut [u8], _c: &mut Scratch) {}
}
