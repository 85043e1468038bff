//! Which instruction set the kernels use: the best that the machine has, or the one that
//! `GRADUS_ISA` names.

use std::sync::OnceLock;

/// An instruction set for which the kernels are compiled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Isa {
    /// Whatever the target always has (SSE2 on x86-64, NEON on aarch64); no fused multiply-add
    /// on x86-64.
    Portable,
    /// AVX2 and FMA: 8 values at a time.
    Avx2,
    /// AVX-512 F, BW, DQ and VL: 16 values at a time.
    Avx512,
}

impl Isa {
    /// All instruction sets, the plainest first.
    pub const ALL: [Isa; 3] = [Isa::Portable, Isa::Avx2, Isa::Avx512];

    /// The name that `GRADUS_ISA` takes.
    pub fn name(self) -> &'static str {
        match self {
            Isa::Portable => "portable",
            Isa::Avx2 => "avx2",
            Isa::Avx512 => "avx512",
        }
    }

    /// Whether this machine can run it.
    pub fn is_available(self) -> bool {
        match self {
            Isa::Portable => true,
            #[cfg(target_arch = "x86_64")]
            Isa::Avx2 => is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma"),
            #[cfg(target_arch = "x86_64")]
            Isa::Avx512 => {
                Isa::Avx2.is_available()
                    && is_x86_feature_detected!("avx512f")
                    && is_x86_feature_detected!("avx512bw")
                    && is_x86_feature_detected!("avx512dq")
                    && is_x86_feature_detected!("avx512vl")
            }
            #[cfg(not(target_arch = "x86_64"))]
            Isa::Avx2 | Isa::Avx512 => false,
        }
    }
}

/// The kernels for one instruction set that this machine has: a value of this type is the proof
/// that it does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kernels {
    isa: Isa,
}

impl Kernels {
    /// The kernels for `isa`, where the machine has it.
    pub fn with(isa: Isa) -> Option<Kernels> {
        isa.is_available().then_some(Kernels { isa })
    }

    /// The kernels for every instruction set of this machine: what tests run over.
    pub fn available() -> Vec<Kernels> {
        Isa::ALL.into_iter().filter_map(Kernels::with).collect()
    }

    /// The kernels to use: those that `GRADUS_ISA` names, else the best that the machine has.
    ///
    /// # Errors
    /// Where `GRADUS_ISA` names none, or one that this machine lacks.
    pub fn detect() -> Result<Kernels, String> {
        static DETECTED: OnceLock<Result<Kernels, String>> = OnceLock::new();
        DETECTED.get_or_init(|| choose(std::env::var("GRADUS_ISA").ok().as_deref())).clone()
    }

    /// The instruction set.
    pub fn isa(self) -> Isa {
        self.isa
    }
}

fn choose(forced: Option<&str>) -> Result<Kernels, String> {
    let available = Kernels::available();
    let names = || available.iter().map(|k| k.isa.name()).collect::<Vec<_>>().join(", ");
    match forced {
        None | Some("") => Ok(*available.last().unwrap_or(&Kernels { isa: Isa::Portable })),
        Some(name) => available
            .iter()
            .find(|kernels| kernels.isa.name() == name)
            .copied()
            .ok_or_else(|| format!("GRADUS_ISA is '{name}', but this machine has: {}", names())),
    }
}

/// Compiles a body once for each instruction set and calls the one that `self` stands for:
/// `dispatch!(self, |S| generic::<S>(arguments))` with `S` one of the [`crate::arch::Simd`] types.
macro_rules! dispatch {
    ($self:expr, ($($name:ident : $type:ty),* $(,)?) $(-> $result:ty)?, |$simd:ident| $body:expr) => {{
        use $crate::dispatch::Isa;
        #[inline(always)]
        #[allow(non_camel_case_types, unused_unsafe)]
        fn portable($($name: $type),*) $(-> $result)? {
            type $simd = $crate::arch::portable::Portable;
            $body
        }
        #[cfg(target_arch = "x86_64")]
        #[target_feature(enable = "avx2,fma")]
        fn avx2($($name: $type),*) $(-> $result)? {
            type $simd = $crate::arch::x86::Avx2;
            $body
        }
        #[cfg(target_arch = "x86_64")]
        #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,bmi1,bmi2,popcnt")]
        fn avx512($($name: $type),*) $(-> $result)? {
            type $simd = $crate::arch::x86::Avx512;
            $body
        }
        match $self.isa() {
            Isa::Portable => portable($($name),*),
            #[cfg(target_arch = "x86_64")]
            // SAFETY: a Kernels value with this Isa exists only where the machine has it.
            Isa::Avx2 => unsafe { avx2($($name),*) },
            #[cfg(target_arch = "x86_64")]
            // SAFETY: as above.
            Isa::Avx512 => unsafe { avx512($($name),*) },
            #[cfg(not(target_arch = "x86_64"))]
            Isa::Avx2 | Isa::Avx512 => unreachable!("no such Kernels value exists on this machine"),
        }
    }};
}
pub(crate) use dispatch;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instruction_set_can_be_forced_and_a_wrong_name_is_explained() {
        assert_eq!(choose(Some("portable")).unwrap().isa(), Isa::Portable);
        assert_eq!(choose(None).unwrap(), *Kernels::available().last().unwrap());
        let message = choose(Some("mmx")).unwrap_err();
        assert!(message.contains("'mmx'") && message.contains("portable"), "{message}");
    }
}
