//! Of which weights the learning rate is (docs/maths.md M11).

/// How a layer's weights enter its pre-activations; it decides the length of their steps and of what they are drawn
/// from. The network itself always has the weights that are multiplied with its inputs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Parametrization {
    /// `z = x W + b`
    Standard,
    /// `z = x W / sqrt(inputs) + b` (Jacot et al. 2018): the learning rate is that of `W`. The network has
    /// `V = W / sqrt(inputs)`, whose steps are shorter by that factor.
    Ntk,
}

impl Parametrization {
    /// All of them.
    pub const ALL: [Parametrization; 2] = [Parametrization::Standard, Parametrization::Ntk];

    /// The name used in options and files.
    pub fn name(self) -> &'static str {
        match self {
            Parametrization::Standard => "standard",
            Parametrization::Ntk => "ntk",
        }
    }

    /// The parametrization of this name.
    pub fn from_name(name: &str) -> Option<Parametrization> {
        Parametrization::ALL.into_iter().find(|it| it.name() == name)
    }

    /// What the weights that the learning rate is of are multiplied by in a layer of so many inputs.
    pub(crate) fn scale(self, inputs: usize) -> f64 {
        match self {
            Parametrization::Standard => 1.0,
            Parametrization::Ntk => 1.0 / (inputs as f64).sqrt(),
        }
    }
}
