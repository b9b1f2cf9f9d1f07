//! The table of methods: everything that is answered over gRPC, on one page.

use crate::config::Scope;

/// One line of the table.
#[derive(Debug, PartialEq, Eq)]
pub struct Method {
    /// The full method: the path of a request, and the `endpoint` of metrics and log lines.
    pub path: &'static str,
    /// What a token must allow; nothing for a call that is open to strangers.
    pub(super) needs: Option<Scope>,
    /// Whether the answer ends only with the caller or the service.
    pub(super) is_endless: bool,
    /// Whether the caller sends messages as long as it likes.
    pub(super) takes_stream: bool,
}

impl Method {
    /// The method with the given path.
    pub fn find(path: &str) -> Option<&'static Self> {
        METHODS.iter().find(|method| method.path == path)
    }

    /// The name in the semantic conventions: the path without the slash in front.
    pub fn name(&self) -> &'static str {
        self.path.trim_start_matches('/')
    }

    /// The service that has it.
    pub(super) fn service(&self) -> &'static str {
        self.name().split('/').next().unwrap_or_default()
    }
}

const fn call(path: &'static str, needs: Option<Scope>) -> Method {
    Method { path, needs, is_endless: false, takes_stream: false }
}

const fn endless(path: &'static str) -> Method {
    Method { is_endless: true, ..call(path, Some(Scope::Read)) }
}

const fn dialog(path: &'static str) -> Method {
    Method { takes_stream: true, ..endless(path) }
}

/// All methods. A probe must not need a token, so the health check is open as `/health` is; what
/// holds a place for long is not, and neither is the description of the whole API.
pub static METHODS: &[Method] = &[
    call("/bangui.v1.StatusService/GetStatus", Some(Scope::Read)),
    call("/bangui.v1.JailService/ListJails", Some(Scope::Read)),
    call("/bangui.v1.JailService/GetJail", Some(Scope::Read)),
    call("/bangui.v1.BanService/ListBans", Some(Scope::Read)),
    call("/bangui.v1.BanService/Ban", Some(Scope::Write)),
    call("/bangui.v1.BanService/Unban", Some(Scope::Write)),
    call("/bangui.v1.HistoryService/GetAddressHistory", Some(Scope::Read)),
    endless("/bangui.v1.WatchService/Watch"),
    call("/bangui.v1.SchedulerService/GetLockHealth", Some(Scope::Read)),
    call("/grpc.health.v1.Health/Check", None),
    endless("/grpc.health.v1.Health/Watch"),
    dialog("/grpc.reflection.v1.ServerReflection/ServerReflectionInfo"),
    dialog("/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo"),
];

#[cfg(test)]
mod tests {
    use prost::Message as _;
    use prost_types::FileDescriptorSet;

    use super::*;

    #[test]
    fn the_table_has_every_method_of_the_contract() {
        let contract = FileDescriptorSet::decode(crate::proto::DESCRIPTORS).unwrap();
        let mut declared = Vec::new();
        for file in &contract.file {
            for service in &file.service {
                let path = |name: &str| format!("/{}.{}/{name}", file.package(), service.name());
                declared.extend(service.method.iter().map(|method| path(method.name())));
            }
        }
        declared.sort();
        let ours = METHODS.iter().map(|method| method.path.to_owned());
        let mut ours: Vec<_> = ours.filter(|path| path.starts_with("/bangui.")).collect();
        ours.sort();
        assert_eq!(declared, ours);
    }

    #[test]
    fn only_the_health_check_is_open_to_strangers() {
        let open = METHODS.iter().filter(|method| method.needs.is_none());
        let open: Vec<_> = open.map(|method| method.path).collect();
        assert_eq!(open, ["/grpc.health.v1.Health/Check"]);
    }
}
