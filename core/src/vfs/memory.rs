//! A file system in RAM: the storage of in-memory databases, and what a simulated crash leaves behind.

use super::image::Image;
use super::{OpenOptions, Vfs, VfsFile};
use parking_lot::{Mutex, RwLock};
use std::collections::BTreeMap;
use std::io::{self, ErrorKind};
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// What a name stands for.
#[derive(Clone)]
enum Node {
    Folder,
    File(Arc<MemoryInode>),
}

/// A file, named or still open.
struct MemoryInode {
    device: u64,
    number: u64,
    image: RwLock<Image>,
}

struct Tree {
    device: u64,
    next_number: u64,
    nodes: BTreeMap<PathBuf, Node>,
}

/// A file system in RAM. Clones are handles of the same one.
///
/// The root and the current folder exist; any other folder must be made first. Every sync succeeds at once.
/// The lock is always free, since no other process can see the files.
#[derive(Clone)]
pub struct MemoryVfs {
    tree: Arc<Mutex<Tree>>,
}

impl Default for MemoryVfs {
    fn default() -> Self {
        Self::new()
    }
}

/// `a/./b` and `a/b` are one name.
pub(super) fn normal(path: &Path) -> PathBuf {
    path.components().filter(|c| !matches!(c, Component::CurDir)).collect()
}

fn is_root(path: &Path) -> bool {
    path.parent().is_none_or(|parent| parent == path) || path.as_os_str().is_empty()
}

impl Tree {
    fn check_parent(&self, path: &Path) -> io::Result<()> {
        match path.parent() {
            Some(parent) if !is_root(parent) => match self.nodes.get(parent) {
                Some(Node::Folder) => Ok(()),
                Some(Node::File(_)) => Err(ErrorKind::NotADirectory.into()),
                None => Err(ErrorKind::NotFound.into()),
            },
            _ => Ok(()),
        }
    }

    fn is_folder(&self, path: &Path) -> bool {
        is_root(path) || matches!(self.nodes.get(path), Some(Node::Folder))
    }

    fn has_children(&self, folder: &Path) -> bool {
        self.nodes.keys().any(|name| name.parent() == Some(folder))
    }

    fn add_file(&mut self, path: PathBuf, image: Image) -> Arc<MemoryInode> {
        let inode = Arc::new(MemoryInode {
            device: self.device,
            number: self.next_number,
            image: RwLock::new(image),
        });
        self.next_number += 1;
        self.nodes.insert(path, Node::File(Arc::clone(&inode)));
        inode
    }
}

impl MemoryVfs {
    /// An empty file system.
    pub fn new() -> Self {
        static DEVICES: AtomicU64 = AtomicU64::new(1);
        let device = DEVICES.fetch_add(1, Ordering::Relaxed);
        Self { tree: Arc::new(Mutex::new(Tree { device, next_number: 1, nodes: BTreeMap::new() })) }
    }

    /// Puts a whole file in place; the folder exists.
    pub(super) fn insert(&self, path: PathBuf, image: Image) {
        self.tree.lock().add_file(path, image);
    }

    /// All folders, and all files with their contents, parents first.
    pub(super) fn entries(&self) -> Vec<(PathBuf, Option<Image>)> {
        let tree = self.tree.lock();
        let content = |node: &Node| match node {
            Node::Folder => None,
            Node::File(inode) => Some(inode.image.read().clone()),
        };
        tree.nodes.iter().map(|(path, node)| (path.clone(), content(node))).collect()
    }

    /// A file system of its own with the same contents; costs a reference count per file.
    #[must_use]
    pub fn snapshot(&self) -> Self {
        let copy = Self::new();
        {
            let mut tree = copy.tree.lock();
            for (path, content) in self.entries() {
                match content {
                    Some(image) => drop(tree.add_file(path, image)),
                    None => drop(tree.nodes.insert(path, Node::Folder)),
                }
            }
        }
        copy
    }
}

struct MemoryFile {
    inode: Arc<MemoryInode>,
    write: bool,
}

impl MemoryFile {
    fn writable(&self) -> io::Result<()> {
        if self.write { Ok(()) } else { Err(ErrorKind::PermissionDenied.into()) }
    }
}

impl VfsFile for MemoryFile {
    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<()> {
        if self.inode.image.read().read(buf, offset) { Ok(()) } else { Err(ErrorKind::UnexpectedEof.into()) }
    }

    fn write_at(&self, buf: &[u8], offset: u64) -> io::Result<()> {
        self.writable()?;
        self.inode.image.write().write(buf, offset);
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        Ok(())
    }

    fn size(&self) -> io::Result<u64> {
        Ok(self.inode.image.read().len())
    }

    fn set_size(&self, len: u64) -> io::Result<()> {
        self.writable()?;
        self.inode.image.write().set_len(len);
        Ok(())
    }

    fn allocate(&self, len: u64) -> io::Result<()> {
        self.writable()?;
        let mut image = self.inode.image.write();
        let extended = image.len().max(len);
        image.set_len(extended);
        Ok(())
    }

    fn try_lock(&self) -> io::Result<bool> {
        Ok(true)
    }

    fn identity(&self) -> io::Result<(u64, u64)> {
        Ok((self.inode.device, self.inode.number))
    }
}

impl Vfs for MemoryVfs {
    fn open(&self, path: &Path, options: OpenOptions) -> io::Result<Arc<dyn VfsFile>> {
        let path = normal(path);
        let mut tree = self.tree.lock();
        tree.check_parent(&path)?;
        let inode = match tree.nodes.get(&path) {
            Some(Node::File(_)) if options.create_new => return Err(ErrorKind::AlreadyExists.into()),
            Some(Node::File(inode)) => Arc::clone(inode),
            Some(Node::Folder) => return Err(ErrorKind::IsADirectory.into()),
            None if is_root(&path) => return Err(ErrorKind::IsADirectory.into()),
            None if options.create || options.create_new => tree.add_file(path, Image::default()),
            None => return Err(ErrorKind::NotFound.into()),
        };
        Ok(Arc::new(MemoryFile { inode, write: options.write }))
    }

    fn exists(&self, path: &Path) -> io::Result<bool> {
        let path = normal(path);
        Ok(is_root(&path) || self.tree.lock().nodes.contains_key(&path))
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let path = normal(path);
        let mut tree = self.tree.lock();
        match tree.nodes.get(&path) {
            Some(Node::File(_)) => {
                tree.nodes.remove(&path);
                Ok(())
            }
            Some(Node::Folder) => Err(ErrorKind::IsADirectory.into()),
            None => Err(ErrorKind::NotFound.into()),
        }
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let (from, to) = (normal(from), normal(to));
        let mut tree = self.tree.lock();
        tree.check_parent(&to)?;
        match (tree.nodes.get(&from).cloned(), tree.nodes.get(&to)) {
            (None, _) => Err(ErrorKind::NotFound.into()),
            (Some(Node::Folder), _) => Err(ErrorKind::Unsupported.into()),
            (Some(Node::File(_)), Some(Node::Folder)) => Err(ErrorKind::IsADirectory.into()),
            (Some(node @ Node::File(_)), _) => {
                tree.nodes.remove(&from);
                tree.nodes.insert(to, node);
                Ok(())
            }
        }
    }

    fn list(&self, folder: &Path) -> io::Result<Vec<String>> {
        let folder = normal(folder);
        let tree = self.tree.lock();
        if !tree.is_folder(&folder) {
            return Err(ErrorKind::NotFound.into());
        }
        let names = tree.nodes.keys().filter(|name| name.parent() == Some(&folder));
        Ok(names.filter_map(|name| name.file_name()?.to_str().map(str::to_owned)).collect())
    }

    fn create_dir(&self, path: &Path) -> io::Result<()> {
        let path = normal(path);
        let mut tree = self.tree.lock();
        if tree.is_folder(&path) {
            return Ok(());
        }
        tree.check_parent(&path)?;
        if tree.nodes.contains_key(&path) {
            return Err(ErrorKind::AlreadyExists.into());
        }
        tree.nodes.insert(path, Node::Folder);
        Ok(())
    }

    fn remove_dir(&self, path: &Path) -> io::Result<()> {
        let path = normal(path);
        let mut tree = self.tree.lock();
        match tree.nodes.get(&path) {
            Some(Node::Folder) if tree.has_children(&path) => Err(ErrorKind::DirectoryNotEmpty.into()),
            Some(Node::Folder) => {
                tree.nodes.remove(&path);
                Ok(())
            }
            Some(Node::File(_)) => Err(ErrorKind::NotADirectory.into()),
            None => Err(ErrorKind::NotFound.into()),
        }
    }

    fn sync_dir(&self, folder: &Path) -> io::Result<()> {
        if self.tree.lock().is_folder(&normal(folder)) { Ok(()) } else { Err(ErrorKind::NotFound.into()) }
    }
}
