//! What happens to raw values on their way into the network: normalisation, which belongs to the model,
//! and distortion, which belongs to training.

pub mod normalize;
pub mod distort;
