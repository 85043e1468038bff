//! The search path of a named set: a set in, the folders that may hold it out, in the order of the search.

use std::env;
use std::path::{Path, PathBuf};

use etcetera::BaseStrategy;

use super::sets::NamedSet;

/// The environment that the search path depends on; read once, so that tests can choose it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Environment {
    /// `$GRADUS_DATA`: a folder with a sub-folder for each set.
    pub(crate) gradus_data: Option<PathBuf>,
    /// `$GRADUS_MIRROR`: a base URL that is tried before the mirrors of the table.
    pub(crate) mirror: Option<String>,
    /// The current folder, to which relative paths refer.
    pub(crate) current: PathBuf,
    /// Gradus's own folder under the user's cache folder.
    pub(crate) cache: Option<PathBuf>,
    /// `$KERAS_HOME`, by default `~/.keras`.
    pub(crate) keras: Option<PathBuf>,
    /// The user's home folder.
    pub(crate) home: Option<PathBuf>,
}

impl Environment {
    /// Reads the environment variables of the process.
    pub(crate) fn of_process() -> Self {
        let folder = |name| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        let strategy = etcetera::choose_base_strategy().ok();
        let home = strategy.as_ref().map(|strategy| strategy.home_dir().to_owned());
        Environment {
            gradus_data: folder("GRADUS_DATA"),
            mirror: env::var("GRADUS_MIRROR").ok().filter(|mirror| !mirror.is_empty()),
            current: PathBuf::new(),
            cache: strategy.map(|strategy| strategy.cache_dir().join("gradus")),
            keras: folder("KERAS_HOME").or_else(|| home.as_ref().map(|home| home.join(".keras"))),
            home,
        }
    }

    /// The folder into which `set` is downloaded.
    pub(crate) fn download_folder(&self, set: &NamedSet) -> Option<PathBuf> {
        self.cache.as_ref().map(|cache| cache.join(set.folder))
    }
}

/// A folder that may contain a set.
#[derive(Debug, PartialEq)]
pub(crate) struct Candidate {
    pub(crate) folder: PathBuf,
    /// Whether the folder has the set's name. If not, only files whose SHA-256 is known count as the set,
    /// because the relatives of MNIST have the same file names.
    pub(crate) named: bool,
}

/// The folders that may contain `set`, in the order of the search: in `data_dir`, `$GRADUS_DATA`, `./data`,
/// the cache, Keras's folder and torchvision's usual roots.
pub(crate) fn candidates(
    set: &NamedSet,
    data_dir: Option<&Path>,
    environment: &Environment,
) -> Vec<Candidate> {
    let mut found = Vec::new();
    let keras = environment.keras.as_ref().map(|keras| keras.join("datasets"));
    let places = [
        data_dir.map(Path::to_owned),
        environment.gradus_data.clone(),
        Some(environment.current.join("data")),
        environment.cache.clone(),
        keras,
    ];
    for place in places.into_iter().flatten() {
        let names = [set.folder, set.name];
        let names = &names[..if set.folder == set.name { 1 } else { 2 }];
        found.extend(names.iter().map(|name| Candidate { folder: place.join(name), named: true }));
        found.push(torchvision(&place, set));
        found.push(Candidate { folder: place, named: false });
    }
    found.push(torchvision(&environment.current, set));
    found.push(torchvision(&environment.current.join("../data"), set));
    if let Some(home) = &environment.home {
        let roots = ["data", "datasets", ".pytorch/MNIST_data"];
        found.extend(roots.iter().map(|root| torchvision(&home.join(root), set)));
    }
    found
}

fn torchvision(root: &Path, set: &NamedSet) -> Candidate {
    Candidate { folder: root.join(set.torchvision).join("raw"), named: true }
}

#[cfg(test)]
mod tests {
    use super::super::sets;
    use super::*;

    #[test]
    fn the_order_of_places() {
        let environment = Environment {
            gradus_data: Some("/gradus-data".into()),
            mirror: None,
            current: "/here".into(),
            cache: Some("/cache/gradus".into()),
            keras: Some("/home/me/.keras".into()),
            home: Some("/home/me".into()),
        };
        let set = sets::find("fashion-mnist").unwrap();
        let found = candidates(set, Some(Path::new("/option")), &environment);
        let folders: Vec<_> = found.iter().map(|found| found.folder.to_str().unwrap()).collect();
        let expected = [
            "/option/fashion-mnist",
            "/option/FashionMNIST/raw",
            "/option",
            "/gradus-data/fashion-mnist",
            "/gradus-data/FashionMNIST/raw",
            "/gradus-data",
            "/here/data/fashion-mnist",
            "/here/data/FashionMNIST/raw",
            "/here/data",
            "/cache/gradus/fashion-mnist",
            "/cache/gradus/FashionMNIST/raw",
            "/cache/gradus",
            "/home/me/.keras/datasets/fashion-mnist",
            "/home/me/.keras/datasets/FashionMNIST/raw",
            "/home/me/.keras/datasets",
            "/here/FashionMNIST/raw",
            "/here/../data/FashionMNIST/raw",
            "/home/me/data/FashionMNIST/raw",
            "/home/me/datasets/FashionMNIST/raw",
            "/home/me/.pytorch/MNIST_data/FashionMNIST/raw",
        ];
        assert_eq!(folders, expected);
        assert!(found.iter().all(|found| {
            found.named
                != [
                    "/option",
                    "/gradus-data",
                    "/here/data",
                    "/cache/gradus",
                    "/home/me/.keras/datasets",
                ]
                .contains(&found.folder.to_str().unwrap())
        }));
    }

    #[test]
    fn the_process_has_a_cache_below_its_home() {
        let environment = Environment::of_process();
        assert!(environment.cache.is_none_or(|cache| cache.ends_with("gradus")));
    }
}
