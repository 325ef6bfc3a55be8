import PlueConfig
import SystemPackage

#if canImport(Darwin)
import Darwin
#else
import Glibc
#endif

extension ExternalDaemon {
    /// A rendered, checked file, and the settings it was made with.
    public struct Instance: Sendable {
        let settings: Settings
        let template: Template
        let rendering: Rendering
        /// Knows its secrets, and those of the file it replaces.
        let redaction: Redaction
        let mode: mode_t
        /// Names its hidden files.
        let token = String(UInt64.random(in: .min ... .max), radix: 36)
        /// There was nothing before it in this process.
        let isFirst: Bool
        /// By what one can tell whether the daemon is up before it is told of the file.
        let signsBefore: VitalSigns

        var file: OutputFile { OutputFile(path: settings.output) }
    }
}

extension ExternalDaemon.Instance {
    /// Renders the template, and writes the candidate beside the output. Blocks.
    init(_ settings: ExternalDaemon.Settings, beside live: Self?) throws(ServiceRefusal) {
        let file = OutputFile(path: settings.output)
        (template, rendering) = try Self.render(settings)
        if live == nil { file.sweep() }
        let found = try file.found()
        let kept = found.map { $0.mode & 0o777 } ?? 0o640
        mode = settings.mode.map { mode_t($0.rawValue) & 0o777 } ?? (rendering.redaction.isEmpty ? kept : kept & 0o600)
        redaction = rendering.redaction.adding(live?.rendering.redaction)
        isFirst = live == nil
        // Where a daemon takes connections that was configured by somebody else, nobody here knows.
        signsBefore = live?.settings.vitalSigns ?? VitalSigns(endpoints: [], pidFile: settings.pidFile)
        self.settings = settings
        try stage(like: found)
    }

    private static func render(_ settings: ExternalDaemon.Settings) throws(ServiceRefusal) -> (Template, Rendering) {
        let bytes: [UInt8]
        do {
            bytes =
                try settings.templateContent?.content.withExposed(\.self) ?? SystemFiles().read(settings.template, limit: Template.largest)
        } catch {
            throw ServiceRefusal("the template cannot be read: \(error)")
        }
        do {
            let template = try Template(bytes, file: settings.template.lastComponent?.string ?? "")
            return (template, try template.render(settings.values))
        } catch {
            throw ServiceRefusal("\(error)")
        }
    }

    private func stage(like found: OutputFile.Found?) throws(ServiceRefusal) {
        try file.stage(rendering.content, mode: mode, like: found, token)
    }

    /// Has the daemon's own check look at the candidate.
    func check() async throws(ServiceRefusal) {
        let (limit, places) = (settings.timeouts.check, ["{file}": file.candidate(token), "{output}": settings.output])
        guard let command = Command(settings.check, filling: places) else { return }
        let outcome = await command.run(within: limit)
        if let problem = outcome.problem(of: "check (\(command.name))", within: limit, redaction) { throw ServiceRefusal(problem) }
    }

    /// Puts the candidate in place; it is written anew when it has been there before. Blocks.
    func install() throws(ServiceRefusal) {
        if SystemFiles().status(of: file.candidate(token)) == nil { try stage(like: file.found()) }
        try file.install(token)
    }
}

extension ExternalDaemon.Settings {
    /// Binds the addresses that the daemon does not have yet, for a moment.
    ///
    /// A port that it has already is in its own way, also on another host, and is left to it. At the first start nobody knows
    /// which it has.
    func bindNewAddresses(beside live: Self?) async throws(ServiceRefusal) {
        guard let live else { return }
        let had = Set(live.boundAddresses.map(\.port))
        let wanted = boundAddresses.filter { !had.contains($0.port) }
        let problems = await offPool { wanted.compactMap { $0.bindProblem() } }
        guard problems.isEmpty else { throw ServiceRefusal(problems.joined(separator: "; ")) }
    }
}
