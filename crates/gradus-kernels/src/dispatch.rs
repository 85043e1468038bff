//! Which instruction set the kernels use. The machine's features and `GRADUS_ISA` go in; out comes a
//! [`Kernels`], the proof that this machine can run what `dispatch!` calls for it.

use std::sync::OnceLock;

/// An instruction set for which the kernels are compiled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Isa {
    /// What the target always has (SSE2 on x86-64, NEON on aarch64); on x86-64 without fused
    /// multiply-add.
    Portable,
    /// AVX2 and FMA: 8 values at a time.
    Avx2,
    /// AVX-512 F, BW, DQ and VL: 16 values at a time.
    Avx512,
    /// AVX-512 with VBMI2, which makes the lists of non-zero bytes faster. The arithmetic is that of
    /// [`Isa::Avx512`], and so are all results, to the bit.
    Avx512Vbmi2,
}

/// For each feature its name, and whether this machine has it.
#[cfg(target_arch = "x86_64")]
macro_rules! features {
    ($($name:tt),*) => { vec![$(($name, is_x86_feature_detected!($name))),*] };
}
#[cfg(not(target_arch = "x86_64"))]
macro_rules! features {
    ($($name:tt),*) => { vec![$(($name, false)),*] };
}

impl Isa {
    /// All instruction sets, in rising order: the last one that a machine has is its best.
    pub const ALL: [Isa; 4] = [Isa::Portable, Isa::Avx2, Isa::Avx512, Isa::Avx512Vbmi2];

    /// The name, as `GRADUS_ISA` takes it.
    pub fn name(self) -> &'static str {
        match self {
            Isa::Portable => "portable",
            Isa::Avx2 => "avx2",
            Isa::Avx512 => "avx512",
            Isa::Avx512Vbmi2 => "avx512vbmi2",
        }
    }

    /// Every processor feature that code compiled for this instruction set may use, with whether
    /// this machine has it: those named in `target_feature(enable = ...)`, among them f16c, which the
    /// compiler enables with avx512f in any case. A test compares them with the sources.
    fn features(self) -> Vec<(&'static str, bool)> {
        match self {
            Isa::Portable => Vec::new(),
            Isa::Avx2 => features!("avx2", "fma"),
            Isa::Avx512 => {
                let own = features!(
                    "avx512f", "avx512bw", "avx512dq", "avx512vl", "f16c", "bmi1", "bmi2", "popcnt"
                );
                [Isa::Avx2.features(), own].concat()
            }
            Isa::Avx512Vbmi2 => [Isa::Avx512.features(), features!("avx512vbmi2")].concat(),
        }
    }

    /// Whether this machine can run it.
    pub fn is_available(self) -> bool {
        self.features().iter().all(|&(_, detected)| detected)
    }
}

/// The kernels for one instruction set. A value of this type is the proof that this machine has it: all
/// `unsafe` calls in `dispatch!` rely on that.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kernels {
    isa: Isa,
}

impl Kernels {
    /// The kernels for `isa`, if this machine has it.
    pub fn with(isa: Isa) -> Option<Kernels> {
        isa.is_available().then_some(Kernels { isa })
    }

    /// The kernels for every instruction set of this machine, the best one last: tests run over them.
    pub fn available() -> Vec<Kernels> {
        Isa::ALL.into_iter().filter_map(Kernels::with).collect()
    }

    /// The kernels to use: those that `GRADUS_ISA` names, or else the best that this machine has.
    /// The environment is read once; later calls return the same.
    ///
    /// # Errors
    /// If `GRADUS_ISA` is not the name of an instruction set of this machine.
    pub fn detect() -> Result<Kernels, String> {
        static DETECTED: OnceLock<Result<Kernels, String>> = OnceLock::new();
        DETECTED
            .get_or_init(|| {
                let forced = std::env::var_os("GRADUS_ISA");
                choose(forced.map(|name| name.to_string_lossy().into_owned()).as_deref())
            })
            .clone()
    }

    /// The instruction set.
    pub fn isa(self) -> Isa {
        self.isa
    }
}

/// The kernels that `forced` names; without a name, or with an empty one, the best.
fn choose(forced: Option<&str>) -> Result<Kernels, String> {
    let available = Kernels::available();
    let Some(name) = forced.filter(|name| !name.is_empty()) else {
        return Ok(*available.last().unwrap_or(&Kernels { isa: Isa::Portable }));
    };
    if let Some(kernels) = available.iter().find(|kernels| kernels.isa.name() == name) {
        return Ok(*kernels);
    }
    let problem = match Isa::ALL.iter().find(|isa| isa.name() == name) {
        Some(isa) => {
            let all = isa.features();
            let missing = all.iter().filter(|(_, detected)| !detected).map(|&(name, _)| name);
            format!("but this machine lacks {}", missing.collect::<Vec<_>>().join(", "))
        }
        None => "which is not an instruction set that gradus knows".to_owned(),
    };
    let here = available.iter().map(|kernels| kernels.isa.name()).collect::<Vec<_>>().join(", ");
    Err(format!(
        "GRADUS_ISA is '{name}', {problem}; this machine has: {here} (unset it to use the best one)"
    ))
}

/// Compiles a body once for each instruction set and calls the variant for `self`:
/// `dispatch!(self, (arguments: Types) -> Result, |S| body)`, where the body sees `S` as the
/// [`crate::arch::Simd`] type. Bodies without `S` are plain loops, which the compiler vectorizes with
/// whatever the variant's features allow.
///
/// The body goes into a function of its own for each variant because features are enabled for whole
/// functions; generic functions that the body calls must be `#[inline(always)]` to be compiled with
/// these features, too.
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
            type $simd = $crate::arch::avx2::Avx2;
            $body
        }
        #[cfg(target_arch = "x86_64")]
        #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c,bmi1,bmi2,popcnt")]
        fn avx512($($name: $type),*) $(-> $result)? {
            type $simd = $crate::arch::avx512::Avx512;
            $body
        }
        match $self.isa() {
            Isa::Portable => portable($($name),*),
            #[cfg(target_arch = "x86_64")]
            // SAFETY: a Kernels value with this Isa exists only where the machine has its features.
            Isa::Avx2 => unsafe { avx2($($name),*) },
            // The same code for both: VBMI2 has nothing to add to arithmetic, a second copy would only
            // make the program larger, and equal bits need no proof.
            #[cfg(target_arch = "x86_64")]
            // SAFETY: as above; the features of Avx512Vbmi2 include those of Avx512.
            Isa::Avx512 | Isa::Avx512Vbmi2 => unsafe { avx512($($name),*) },
            #[cfg(not(target_arch = "x86_64"))]
            Isa::Avx2 | Isa::Avx512 | Isa::Avx512Vbmi2 => {
                unreachable!("no such Kernels value exists on this machine")
            }
        }
    }};
}
pub(crate) use dispatch;

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;
    use std::fs;
    use std::path::{Path, PathBuf};

    #[test]
    fn an_instruction_set_can_be_forced() {
        for kernels in Kernels::available() {
            assert_eq!(choose(Some(kernels.isa().name())), Ok(kernels));
        }
        for forced in [None, Some("")] {
            assert_eq!(choose(forced).unwrap(), *Kernels::available().last().unwrap());
        }
    }

    #[test]
    fn a_wrong_name_and_a_missing_instruction_set_are_explained() {
        let message = choose(Some("mmx")).unwrap_err();
        assert!(
            message.contains("GRADUS_ISA is 'mmx', which is not an instruction set"),
            "{message}"
        );
        let here: Vec<_> =
            Kernels::available().iter().map(|kernels| kernels.isa().name()).collect();
        assert!(message.contains(&format!("this machine has: {}", here.join(", "))), "{message}");
        for isa in Isa::ALL.into_iter().filter(|isa| !isa.is_available()) {
            let message = choose(Some(isa.name())).unwrap_err();
            let (missing, _) = *isa.features().iter().find(|(_, detected)| !detected).unwrap();
            assert!(message.contains("this machine lacks") && message.contains(missing));
        }
    }

    /// Whoever has an instruction set has all that stand before it in `ALL`, so that the last one is
    /// the best.
    #[test]
    fn each_instruction_set_needs_what_the_one_before_it_needs() {
        for pair in Isa::ALL.windows(2) {
            assert!(names(pair[0]).is_subset(&names(pair[1])), "{pair:?}");
        }
    }

    fn names(isa: Isa) -> BTreeSet<String> {
        isa.features().iter().map(|(name, _)| (*name).to_owned()).collect()
    }

    fn source_files(folder: &Path) -> Vec<PathBuf> {
        let paths = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        let (folders, files): (Vec<_>, Vec<_>) = paths.partition(|path| path.is_dir());
        files.into_iter().chain(folders.iter().flat_map(|folder| source_files(folder))).collect()
    }

    /// For each line of a file that starts with the attribute: the name of the function below it and
    /// the features that it enables.
    fn enabled(text: &str) -> Vec<(String, BTreeSet<String>)> {
        let attribute = "#[target_feature(enable = \"";
        let lines: Vec<&str> = text.lines().map(str::trim).collect();
        let mut found = Vec::new();
        for (at, line) in lines.iter().enumerate() {
            let Some(list) = line.strip_prefix(attribute) else { continue };
            let (list, _) = list.split_once('"').unwrap();
            let function = lines[at..].iter().find_map(|line| {
                let (_, rest) = line.split_once("fn ")?;
                Some(rest.split(|c: char| !c.is_alphanumeric() && c != '_').next()?.to_owned())
            });
            found.push((function.unwrap(), list.split(',').map(str::to_owned).collect()));
        }
        found
    }

    /// Reads the sources: what the variants in `dispatch!` and the files of `arch/` enable is what the
    /// machine is asked for. A feature that is enabled without being asked for lets the compiler use
    /// instructions that a machine may not have: the program would die there.
    #[test]
    fn every_enabled_feature_is_asked_for() {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
        let isa = |name: &str| Isa::ALL.into_iter().find(|isa| isa.name() == name);
        let mut seen = BTreeSet::new();
        for path in source_files(&source) {
            let stem = path.file_stem().unwrap().to_str().unwrap();
            for (function, enabled) in enabled(&fs::read_to_string(&path).unwrap()) {
                if path == source.join("dispatch.rs") {
                    assert_eq!(enabled, names(isa(&function).unwrap()), "dispatch!, {function}");
                } else {
                    let isa =
                        (path.parent().unwrap().ends_with("arch")).then(|| isa(stem)).flatten();
                    let isa = isa.unwrap_or_else(|| {
                        panic!("{}: only arch/NAME.rs may enable features", path.display())
                    });
                    let extra: Vec<_> = enabled.difference(&names(isa)).cloned().collect();
                    assert!(extra.is_empty(), "{stem}.rs, {function}: {extra:?} are not asked for");
                }
                seen.insert(stem.to_owned());
            }
        }
        // The attributes were really found.
        assert!(seen.contains("dispatch") && seen.contains("avx512vbmi2"), "{seen:?}");
    }
}
