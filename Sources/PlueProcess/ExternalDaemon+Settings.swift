public import PlueConfig
public import SystemPackage

extension ExternalDaemon {
    /// What an external daemon needs: a template and where its text goes, how it is checked, read and looked at, and the values.
    ///
    /// Every command is a list of words, and no shell takes part. The program is a path from `/`, or a name that is looked for in
    /// `PATH`. In their words `{output}` stands for the output's path, and in `check` `{file}` for the candidate's.
    ///
    /// ```ini
    /// [daemon.nginx]
    /// template = /etc/plue/nginx.mustache
    /// output   = /etc/nginx/nginx.conf
    /// check    = nginx, -t, -q, -c, {file}
    /// reload   = nginx, -s, reload
    /// start    = systemctl, start, nginx
    /// probe    = 127.0.0.1:80
    /// ```
    public struct Settings: Equatable, Sendable {
        /// A Mustache template of the daemon's file, read when a change is prepared: one file of at most 1 MiB, without partials.
        ///
        /// - `{{web.port}}` is the setting `web.port`, as a document would show it, and so is `{{{web.port}}}`. Nothing is escaped:
        ///   what a value may hold is its schema's business, and a value that may hold anything can put anything into the file.
        /// - A setting that does not exist is an error with the template's line, and so is one that has no value.
        /// - `{{#web.tls}}…{{/web.tls}}` stands there when the setting is true, or has a value that is not empty, which then is
        ///   `{{.}}`; `{{^web.tls}}…{{/web.tls}}` stands there when not. Inside of `{{#web}}…{{/web}}` the section's settings have
        ///   their short names.
        /// - A list's text comes once for each item: `{{#web.names}}{{.}}{{^last()}}, {{/last()}}{{/web.names}}`; there are `first()`
        ///   and `index()`, from 0, as well.
        /// - `{{#site.*}}…{{/site.*}}` comes once for each of `[site.a]` and `[site.b]`, by their names, and `{{name()}}` is the name.
        /// - `{{! … }}` is a comment, and `{{=<% %>=}}` changes the delimiters, for files that are full of braces.
        public var template: FilePath
        /// The template as it was read together with the configuration: this content counts, whatever the file holds later, and
        /// another content is another setting. `nil`: the file is read when a change is prepared.
        public var templateContent: WatchedFile?
        /// The file that the daemon reads: a regular file, or none yet. It cannot move while the daemon is followed.
        public var output: FilePath
        /// The output's mode. Unless given it is that of the file that is there, or 0640; without any right for others than the
        /// owner as soon as a secret is in it. Owner and group are those of the file that is there.
        public var mode: FilePermissions?
        /// Says with status 0 that `{file}` is good, which has to be among its words; empty for no check.
        public var check: [String] = []
        /// Makes the daemon read the output; empty for one that notices by itself.
        public var reload: [String] = []
        /// Brings the daemon up when it is down, and returns; empty when nothing here can. A bad SIGHUP ends sshd, for one.
        public var start: [String] = []
        /// Where the daemon takes connections when it is up.
        public var probe: Endpoint?
        /// The addresses that the daemon binds; ``probe`` unless given. Those it does not have yet are bound for a moment before
        /// anything changes, since `nginx -t` and `sshd -t` find nothing wrong with a port that another program has; and all of
        /// them have to take connections afterwards.
        public var addresses: [HostPort]?
        /// Where the daemon keeps its process number, so that its death is noticed.
        public var pidFile: FilePath?
        /// How long each step may take.
        public var timeouts = Timeouts()
        /// What the template may name.
        public var values = TemplateValues()

        public init(template: FilePath, output: FilePath) {
            self.template = template
            self.output = output
        }
    }

    /// How long each step may take. The phases of a transaction have deadlines of their own: `check` is part of preparing, and
    /// `reload` and `probe` of verifying.
    public struct Timeouts: Hashable, Sendable {
        /// Longest the check may take.
        public var check: Duration = .seconds(5)
        /// Longest the reload's command may take.
        public var reload: Duration = .seconds(2)
        /// Longest the start's command may take.
        public var start: Duration = .seconds(5)
        /// Until the daemon is up after it was told to read its file.
        public var probe: Duration = .seconds(2)
        /// For how long the daemon has to be up without a break to count as up: signals are answered late.
        public var settling: Duration = .milliseconds(200)

        public init() {}
    }
}

extension ExternalDaemon.Settings {
    /// What going to other settings means for the daemon, as far as it can be known without its template.
    public func action(to new: Self) -> ServiceAction { action(to: new, renderedBy: nil) }

    /// - Parameter template: The one in use: values that it does not use concern nobody.
    func action(to new: Self, renderedBy template: Template?) -> ServiceAction {
        var withNewValues = self
        withNewValues.values = new.values
        // Where clients connect may change only with the addresses; otherwise the daemon reads its file and goes on.
        guard withNewValues == new else { return output != new.output || endpoints != new.endpoints ? .swap : .live }
        guard values != new.values else { return .none }
        // A template that cannot be rendered is for the preparation to tell of.
        guard let template, let now = try? template.render(values), let then = try? template.render(new.values) else { return .live }
        return now.isSame(as: then) ? .none : .live
    }

    /// What is looked at once the daemon was told to read its file, for the plan.
    public var verification: String {
        let signs = endpoints.map { "\($0) takes connections" } + (pidFile.map { ["the process of \($0) is alive"] } ?? [])
        return signs.isEmpty ? "the reload's exit status" : signs.joined(separator: ", ")
    }

    /// The addresses the daemon binds.
    var boundAddresses: [HostPort] {
        if let addresses { return addresses }
        if case .tcp(let address) = probe { return [address] }
        return []
    }

    var endpoints: [Endpoint] {
        let bound = boundAddresses.map { Endpoint.tcp($0) }
        return (probe.map { [$0] } ?? []) + bound.filter { $0 != probe }
    }

    var vitalSigns: VitalSigns { VitalSigns(endpoints: endpoints, pidFile: pidFile) }

    /// What is wrong with them whatever the machine is like; `nil` when nothing is.
    var contradiction: String? {
        for (name, path) in [("template", template), ("output", output)] + (pidFile.map { [("pid_file", $0)] } ?? []) {
            if !path.isAbsolute { return "\(name) '\(path)' is not a path from /" }
        }
        if !check.isEmpty, !check.contains(where: { $0.contains("{file}") }) {
            return "check does not name {file}, so it would not look at what was rendered"
        }
        return nil
    }
}
