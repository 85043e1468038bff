//! A library of MPI: found by its name, asked for its ABI, and called.
//!
//! Three ABIs are in use. They have the same functions, but other handles and constants:
//!
//! | ABI | file | handles |
//! |---|---|---|
//! | MPI 5 | `libmpi_abi.so` | addresses with fixed values |
//! | MPICH, Intel MPI, MVAPICH | `libmpi.so.12` | integers with fixed values |
//! | Open MPI | `libmpi.so.40` | addresses of objects of the library |
//!
//! Sources: the standard ABI's and MPICH's `mpi.h` (MPI 5.0, chapter 20), Open MPI's `mpi.h`.

use std::env;
use std::ffi::{c_char, c_int, c_void};
use std::path::{Path, PathBuf};
use std::ptr;

use gradus_core::{Error, ErrorKind, Result};
use libloading::os::unix::{Library, RTLD_GLOBAL, RTLD_NOW};

use crate::calls::{Calls, Outcome};
use crate::launcher::Launcher;

/// A handle of an ABI whose handles are addresses. It is only handed back to the library.
#[derive(Clone, Copy)]
#[repr(transparent)]
struct Address(*mut c_void);

// SAFETY: handles of MPI may be used by every thread; nothing is read through the pointer here.
unsafe impl Send for Address {}
// SAFETY: as above.
unsafe impl Sync for Address {}

/// Memory for a status, which no ABI's exceeds (MPI 5: 32 bytes, MPICH: 20, Open MPI: 24).
#[repr(C, align(8))]
struct Status([u8; 64]);

type SendReceive<H> = unsafe extern "C" fn(
    *const c_void,
    c_int,
    H,
    c_int,
    c_int,
    *mut c_void,
    c_int,
    H,
    c_int,
    c_int,
    H,
    *mut Status,
) -> c_int;

/// The functions and constants of a library whose handles are of type `H`.
struct Functions<H> {
    world: H,
    byte: H,
    /// The level of threads at which any of them may call, one at a time.
    serialized: c_int,
    initialized: unsafe extern "C" fn(*mut c_int) -> c_int,
    init_thread:
        unsafe extern "C" fn(*mut c_int, *mut *mut *mut c_char, c_int, *mut c_int) -> c_int,
    comm_rank: unsafe extern "C" fn(H, *mut c_int) -> c_int,
    comm_size: unsafe extern "C" fn(H, *mut c_int) -> c_int,
    sendrecv: SendReceive<H>,
    abort: unsafe extern "C" fn(H, c_int) -> c_int,
    finalize: unsafe extern "C" fn() -> c_int,
    /// Keeps the functions in memory.
    _library: Library,
}

impl<H: Copy> Functions<H> {
    /// Looks the functions up.
    fn of(
        library: Library,
        world: H,
        byte: H,
        serialized: c_int,
    ) -> std::result::Result<Self, String> {
        // SAFETY: the types are those that the standard gives these functions, with the handles of this library's ABI; the
        // library stays loaded as long as `Self` lives.
        unsafe {
            Ok(Functions {
                world,
                byte,
                serialized,
                initialized: symbol(&library, "MPI_Initialized")?,
                init_thread: symbol(&library, "MPI_Init_thread")?,
                comm_rank: symbol(&library, "MPI_Comm_rank")?,
                comm_size: symbol(&library, "MPI_Comm_size")?,
                sendrecv: symbol(&library, "MPI_Sendrecv")?,
                abort: symbol(&library, "MPI_Abort")?,
                finalize: symbol(&library, "MPI_Finalize")?,
                _library: library,
            })
        }
    }

    fn ask(&self, function: unsafe extern "C" fn(H, *mut c_int) -> c_int) -> usize {
        let mut value = 0;
        // SAFETY: the job was joined, the handle is the library's, and `value` outlives the call.
        unsafe { function(self.world, &mut value) };
        usize::try_from(value).unwrap_or(0)
    }
}

impl<H: Copy + Send + Sync> Calls for Functions<H> {
    fn initialize(&self) -> Outcome<String> {
        let mut done = 0;
        // SAFETY: MPI_Initialized may be called at any time; `done` outlives the call.
        unsafe { (self.initialized)(&mut done) };
        if done != 0 {
            return Err("this process has joined a job already".into());
        }
        let mut provided = 0;
        // SAFETY: no arguments are handed on, which the standard allows; `provided` outlives the call.
        let code = unsafe {
            (self.init_thread)(ptr::null_mut(), ptr::null_mut(), self.serialized, &mut provided)
        };
        if code != 0 {
            return Err(format!("MPI_Init_thread failed with error {code}"));
        }
        match provided >= self.serialized {
            true => Ok(()),
            false => Err("it was built without MPI_THREAD_SERIALIZED, which gradus needs".into()),
        }
    }

    fn rank(&self) -> usize {
        self.ask(self.comm_rank)
    }

    fn size(&self) -> usize {
        self.ask(self.comm_size)
    }

    fn exchange(&self, partner: usize, send: &[u8], receive: &mut [u8]) -> Outcome<i32> {
        let count = |length: usize| c_int::try_from(length).unwrap_or(c_int::MAX);
        let (partner, tag) = (count(partner), 0);
        let mut status = Status([0; 64]);
        // SAFETY: the job was joined; both buffers are as long as their counts say and do not overlap (`receive` is
        // borrowed exclusively); the status is larger than any ABI's.
        let code = unsafe {
            (self.sendrecv)(
                send.as_ptr().cast(),
                count(send.len()),
                self.byte,
                partner,
                tag,
                receive.as_mut_ptr().cast(),
                count(receive.len()),
                self.byte,
                partner,
                tag,
                self.world,
                &mut status,
            )
        };
        if code == 0 { Ok(()) } else { Err(code) }
    }

    fn abort(&self, status: c_int) {
        // SAFETY: the job was joined, and the handle is the library's.
        unsafe { (self.abort)(self.world, status) };
    }

    fn finalize(&self) {
        // SAFETY: the job was joined, and nothing is sent after this.
        unsafe { (self.finalize)() };
    }
}

/// Finds a library and its ABI: the file of the environment variable `GRADUS_MPI`, else that of the launcher's MPI, else any.
pub(crate) fn load(launcher: Option<&Launcher>) -> Result<(String, Box<dyn Calls>)> {
    let wanted = env::var_os("GRADUS_MPI").map(PathBuf::from);
    let candidates = match &wanted {
        Some(path) => vec![path.clone()],
        None => candidates(launcher),
    };
    let mut first = None;
    for path in &candidates {
        // SAFETY: loading runs the initialization of a library of MPI, which has no requirement of its own. Open MPI loads
        // its parts by themselves and needs its symbols to be global.
        match unsafe { Library::open(Some(path), RTLD_NOW | RTLD_GLOBAL) } {
            Ok(library) => {
                let name = path.display().to_string();
                let calls = calls(library)
                    .map_err(|problem| Error::new(ErrorKind::Io, format!("{name}: {problem}")))?;
                return Ok((name, calls));
            }
            Err(error) => {
                first.get_or_insert(error.to_string());
            }
        }
    }
    let found = first.unwrap_or_default();
    Err(Error::new(
        ErrorKind::NotFound,
        match &wanted {
            Some(path) => {
                format!("GRADUS_MPI={}: this library cannot be loaded: {found}", path.display())
            }
            None => format!(
                "no library of MPI was found ({found}). Install MPICH or Open MPI, or set GRADUS_MPI to the file of the \
                 library"
            ),
        },
    ))
}

/// Where libraries may be: by name wherever the system looks, and beside the launcher on the path.
fn candidates(launcher: Option<&Launcher>) -> Vec<PathBuf> {
    let suffix = |name: &str, version: &str| match cfg!(target_os = "macos") {
        true => format!("{name}.{version}.dylib"),
        false => format!("{name}.so.{version}"),
    };
    let (standard, mpich, open) =
        (suffix("libmpi_abi", "1"), suffix("libmpi", "12"), suffix("libmpi", "40"));
    let names = match launcher {
        Some(Launcher { is_open_mpi: true, .. }) => [open, standard, mpich],
        _ => [mpich, standard, open],
    };
    let beside = env::var_os("PATH").and_then(|path| {
        let folder = env::split_paths(&path).find(|folder| folder.join("mpiexec").is_file())?;
        Some(folder.parent()?.join("lib"))
    });
    let beside = |name: &str| beside.as_deref().map(|folder: &Path| folder.join(name));
    names.iter().flat_map(|name| beside(name).into_iter().chain([PathBuf::from(name)])).collect()
}

/// The functions of a library by its ABI.
fn calls(library: Library) -> std::result::Result<Box<dyn Calls>, String> {
    // Open MPI's handles are objects of the library.
    let object = |name: &str| {
        // SAFETY: only the address of the object is taken.
        unsafe { symbol::<*mut c_void>(&library, name) }.map(Address)
    };
    if let (Ok(world), Ok(byte)) = (object("ompi_mpi_comm_world"), object("ompi_mpi_byte")) {
        return Ok(Box::new(Functions::of(library, world, byte, 2)?));
    }
    if is_standard(&library) {
        let address = |value: usize| Address(ptr::without_provenance_mut(value));
        return Ok(Box::new(Functions::of(library, address(0x101), address(0x247), 2048)?));
    }
    Ok(Box::new(Functions::<c_int>::of(library, 0x4400_0000, 0x4c00_010d, 2)?))
}

/// Whether a library says that it has the standard ABI of MPI 5. MPICH has the function in both of its libraries.
fn is_standard(library: &Library) -> bool {
    type Version = unsafe extern "C" fn(*mut c_int, *mut c_int) -> c_int;
    // SAFETY: the type is the standard's.
    let Ok(version) = (unsafe { symbol::<Version>(library, "MPI_Abi_get_version") }) else {
        return false;
    };
    let (mut major, mut minor) = (-1, -1);
    // SAFETY: MPI_Abi_get_version may be called before MPI is initialized; both numbers outlive the call.
    unsafe { version(&mut major, &mut minor) };
    major >= 1
}

/// A function, or the address of an object, by name.
///
/// # Safety
/// `T` must be the type of the function, or a pointer for an object.
unsafe fn symbol<T: Copy>(library: &Library, name: &str) -> std::result::Result<T, String> {
    // SAFETY: as the caller says.
    let found = unsafe { library.get::<T>(name) };
    found
        .map(|symbol| *symbol)
        .map_err(|_| format!("it has no function {name}, so that it is no library of MPI"))
}
