//! Terraform as a person runs it: unchanged code in a folder of its own, with nothing but the harness's override beside it.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;
use tempfile::TempDir;

use crate::machine::lacks;
use crate::moto::Moto;

/// What only moto needs: few tries of what it cannot do.
const FEW_RETRIES: &str = r#"
provider "aws" {
  max_retries = 5
}
"#;

/// What only a test needs: state in a file, and none of what moto cannot hold at all.
const NO_BACKEND: &str = r#"
terraform {
  backend "local" {}
}
module "sender" {
  count = 0
}
module "health" {
  count = 0
}
"#;

/// A copy of a root, and the AWS it is for.
pub(crate) struct Terraform<'m> {
    folder: TempDir,
    root: &'static str,
    moto: Option<&'m Moto>,
    /// Where that AWS is spoken to, if not at its own address.
    endpoint: Option<String>,
}

/// Where Terraform and its provider are; nothing, said aloud, where they are not. CI insists.
pub(crate) fn terraform() -> Option<PathBuf> {
    let has_terraform = Command::new("terraform").arg("version").output().is_ok();
    let mirror = mirror();
    if has_terraform && mirror.is_some() {
        return mirror;
    }
    let lacking = if has_terraform {
        "mirror of the AWS provider; `terraform -chdir=terraform providers mirror FOLDER` makes one, TF_PLUGIN_MIRROR=FOLDER names it"
    } else {
        "terraform"
    };
    lacks(lacking, "nothing was applied");
    None
}

/// The folder of providers: the one that `TF_PLUGIN_MIRROR` names, or one in the usual places.
fn mirror() -> Option<PathBuf> {
    #[expect(clippy::disallowed_methods, reason = "a setting of the tests, not of Uptake")]
    let named = std::env::var_os("TF_PLUGIN_MIRROR").map(PathBuf::from);
    let parents = ["/opt", "/usr/local/share", "/usr/share", "/usr/lib", "/usr/local/lib"];
    let usual = parents.into_iter().flat_map(|parent| {
        let children = fs::read_dir(parent).into_iter().flatten().flatten();
        std::iter::once(PathBuf::from(parent)).chain(children.map(|child| child.path()))
    });
    let is_mirror = |folder: &PathBuf| folder.join("registry.terraform.io/hashicorp/aws").is_dir();
    named.into_iter().chain(usual).find(is_mirror)
}

impl<'m> Terraform<'m> {
    /// A root with nothing beside it: `terraform`, or one below it.
    pub(crate) fn bare(mirror: &Path, root: &'static str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../terraform");
        copy(&source, &folder.path().join("terraform"));
        let configuration = format!(
            "provider_installation {{\n  filesystem_mirror {{\n    path = \"{}\"\n  }}\n}}\n",
            mirror.display()
        );
        fs::write(folder.path().join("terraform.rc"), configuration).unwrap();
        Self {
            folder,
            root,
            moto: None,
            endpoint: None,
        }
    }

    /// The deployment with these variables on moto, ready to plan.
    pub(crate) fn on(moto: &'m Moto, mirror: &Path, variables: &Value) -> Self {
        let root = Self::uninitialised(moto, mirror, "terraform", variables);
        root.write("yy_override.tf", NO_BACKEND);
        root.succeeds(["init", "-input=false", "-no-color"]);
        root
    }

    /// A root with these variables for moto, before its `init`.
    pub(crate) fn uninitialised(moto: &'m Moto, mirror: &Path, root: &'static str, variables: &Value) -> Self {
        let root = Self {
            moto: Some(moto),
            ..Self::bare(mirror, root)
        };
        root.write("zz_override.tf", FEW_RETRIES);
        root.write("test.auto.tfvars.json", &variables.to_string());
        root
    }

    /// The same AWS by another way.
    pub(crate) fn through(self, url: &str) -> Self {
        Self {
            endpoint: Some(url.to_owned()),
            ..self
        }
    }

    fn root(&self) -> PathBuf {
        self.folder.path().join(self.root)
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        fs::write(self.root().join(name), text).unwrap();
    }

    /// Takes away every file of the root itself but these.
    pub(crate) fn keep_only(&self, names: &[&str]) {
        for entry in fs::read_dir(self.root()).unwrap() {
            let path = entry.unwrap().path();
            let is_kept = names.iter().any(|name| path.ends_with(name));
            if path.extension().is_some_and(|extension| extension == "tf") && !is_kept {
                fs::remove_file(path).unwrap();
            }
        }
    }

    /// Runs a command, however it ends.
    pub(crate) fn run<I: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = I>) -> Output {
        let environment = self.moto.map(Moto::environment);
        Command::new("terraform")
            .current_dir(self.root())
            .args(arguments)
            .env("TF_CLI_CONFIG_FILE", self.folder.path().join("terraform.rc"))
            .env("TF_IN_AUTOMATION", "1")
            .env("CHECKPOINT_DISABLE", "1")
            .envs(environment.into_iter().flatten())
            .envs(self.endpoint.iter().map(|url| ("AWS_ENDPOINT_URL", url)))
            .output()
            .unwrap()
    }

    /// Runs a command that has to succeed, and returns what it printed.
    pub(crate) fn succeeds<I: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = I>) -> String {
        let output = self.run(arguments);
        let [printed, errors] =
            [&output.stdout, &output.stderr].map(|stream| String::from_utf8_lossy(stream).into_owned());
        assert!(output.status.success(), "{printed}\n{errors}");
        printed
    }

    pub(crate) fn apply(&self) {
        self.succeeds(["apply", "-auto-approve", "-input=false", "-no-color"]);
    }

    pub(crate) fn destroy(&self) {
        self.succeeds(["destroy", "-auto-approve", "-input=false", "-no-color"]);
    }

    /// What a plan would change: `resource_changes` that are not `no-op`.
    pub(crate) fn planned(&self) -> Vec<Value> {
        self.succeeds(["plan", "-input=false", "-no-color", "-out=plan"]);
        let plan: Value = serde_json::from_str(&self.succeeds(["show", "-json", "plan"])).unwrap();
        let changes = plan["resource_changes"].as_array().cloned().unwrap_or_default();
        let is_change = |change: &Value| change["change"]["actions"] != serde_json::json!(["no-op"]);
        changes.into_iter().filter(is_change).collect()
    }

    /// Every resource of the state, those of modules included.
    pub(crate) fn resources(&self) -> Vec<Value> {
        let state: Value = serde_json::from_str(&self.succeeds(["show", "-json"])).unwrap();
        let mut found = Vec::new();
        let mut modules = vec![state["values"]["root_module"].clone()];
        while let Some(module) = modules.pop() {
            found.extend(module["resources"].as_array().cloned().unwrap_or_default());
            modules.extend(module["child_modules"].as_array().cloned().unwrap_or_default());
        }
        found
    }

    /// The outputs, by name.
    pub(crate) fn outputs(&self) -> Value {
        let outputs: Value = serde_json::from_str(&self.succeeds(["output", "-json"])).unwrap();
        let values = outputs.as_object().unwrap().iter();
        values
            .map(|(name, output)| (name.clone(), output["value"].clone()))
            .collect()
    }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap();
        // What an earlier run by hand left is not the code.
        if name.to_string_lossy().starts_with(".terraform") && path.is_dir() {
            continue;
        }
        if path.is_dir() {
            copy(&path, &to.join(name));
        } else {
            fs::copy(&path, to.join(name)).unwrap();
        }
    }
}
