public import PlueConfig
import SystemPackage

extension Deployment {
    /// The variables that the configuration takes values from, without those that name places of the system's own: a process
    /// that lost its `HOME` would be another one.
    public func consumedVariables() async -> Set<String> {
        let kept: Set<String> = [
            "HOME", "PATH", "USER", "LOGNAME", "SHELL", "LANG", "TZ", "TMPDIR", "HOSTNAME", "NOTIFY_SOCKET", "CREDENTIALS_DIRECTORY",
            "STATE_DIRECTORY", "RUNTIME_DIRECTORY", "XDG_RUNTIME_DIR", "XDG_STATE_HOME", "XDG_DATA_HOME", "WATCHDOG_USEC",
        ]
        return await source.read(environment).consumedVariables.subtracting(kept)
    }

    /// What is wrong with who may look into the state directory, or write there; empty when it does not exist.
    ///
    /// The ledger itself refuses to open one that others may write; this says so before anybody tries.
    public func statePermissions() -> [Diagnostic] {
        guard let status = SystemFiles().status(of: stateDirectory), status.permissions & 0o077 != 0 else { return [] }
        let isWritable = status.permissions & 0o022 != 0
        return [
            Diagnostic(
                "state-directory", severity: isWritable ? .error : .warning,
                at: Location(file: stateDirectory.string, line: 1, column: 1, endLine: 1, endColumn: 1),
                "the state directory \(stateDirectory) can be \(isWritable ? "written" : "read") by others (mode \(String(status.permissions, radix: 8)))"
                    + (isWritable ? ", so its history cannot be trusted" : ""),
                hint: "chmod 700 \(stateDirectory)")
        ]
    }
}
