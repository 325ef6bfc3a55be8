public import PlueConfig
public import SystemPackage

/// `[daemon.NAME]`: an external daemon whose file Plue renders.
public struct ExternalDaemonSettings: Settings {
    public var template: WatchedFile = "template"
    public var output: FilePath = "output"
    public var mode: String?
    public var check: [String] = []
    public var reload: [String] = []
    public var start: [String] = []
    public var probe: HostPort?
    public var addresses: [HostPort]?
    public var pidFile: FilePath?
    public var checkTimeout: Duration = .seconds(5)
    public var reloadTimeout: Duration = .seconds(2)
    public var startTimeout: Duration = .seconds(5)
    public var probeTimeout: Duration = .seconds(2)

    public init() {}

    public static let schema = Schema<Self> {
        Setting("template", \.template, .required, .readable, "Mustache template of the daemon's configuration file.")
        Setting("output", \.output, .required, .restart, "Where the rendered file goes.")
        Setting(
            "mode", \.mode, .pattern("^0?[0-7]{3}$"),
            "Mode of the rendered file, as 0640; unless set that of the file that is there, and 0600 with a secret in it.")
        Setting("check", \.check, "Command and arguments that check the rendered file, which is {file} among them.")
        Setting("reload", \.reload, "Command and arguments that make the daemon read it; none for one that notices by itself.")
        Setting("start", \.start, "Command and arguments that bring the daemon up when it is down.")
        Setting("probe", \.probe, "Address that takes connections when the daemon is up.")
        Setting("addresses", \.addresses, "Addresses the daemon binds; the probe's unless set.")
        Setting("pid_file", \.pidFile, "Where the daemon keeps its process number, so that its death is noticed.")
        Setting("check_timeout", \.checkTimeout, .range(times), "Longest the check may take.")
        Setting("reload_timeout", \.reloadTimeout, .range(times), "Longest the reload's command may take.")
        Setting("start_timeout", \.startTimeout, .range(times), "Longest the start's command may take.")
        Setting("probe_timeout", \.probeTimeout, .range(times), "Until when the daemon is up after it was told to read its file.")
        Rule("template, output and pid_file are paths from /", blames: \.template, \.output, \.pidFile) { settings, _ in
            [settings.template.path, settings.output, settings.pidFile].allSatisfy { $0?.isAbsolute ?? true }
        }
        Rule("check names {file}", blames: \.check) { settings, _ in
            settings.check.isEmpty || settings.check.contains { $0.contains("{file}") }
        }
    }

    private static let times: ClosedRange<Duration> = .milliseconds(100) ... .seconds(600)
}
