import ArgumentParser
import Foundation
import PlueConfig
import PlueDaemon
import PlueSecrets

/// `plue secret rotate`: a new key, and every value encrypted with it.
struct Rotate: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Make a new key, and encrypt every value of every document with it; nothing notices.",
        discussion: """
            May be stopped at any moment and run again: it goes on where it was. The documents that the environment reads change in one \
            transaction, which is one version. The old key stays, to open what kept versions hold, until 'plue secret retire'.
            """)

    @OptionGroup var options: GlobalOptions

    @Option(help: "Why; kept in the history.")
    var reason = ""

    @Flag(help: "Make another key though values of an older one are left from a rotation that was stopped.")
    var newKey = false

    func run() async throws {
        do {
            let deployment = try await options.runningDeployment()
            let rotation = KeyRotation(deployment)
            let plan = try await rotation.begin(makingKey: newKey)
            let count = plan.values.values.reduce(0) { $0 + $1.count }
            progress(
                "\(plan.isResumed ? "going on with" : "the new key is") \(plan.key): \(count) value\(count == 1 ? "" : "s") in \(plan.values.count) document\(plan.values.count == 1 ? "" : "s")"
            )
            let own = Set(await deployment.source.read(deployment.environment).documents.map(\.name))
            let edits = try rotation.edits(for: plan.values.filter { own.contains($0.key) })
            var version: JSONValue?
            if !edits.isEmpty {
                version = try await options.make(
                    deployment, edits, reason: reason.isEmpty ? "values encrypted with the key \(plan.key)" : reason)
                progress(
                    "\(edits.steps.count) document\(edits.steps.count == 1 ? "" : "s") of \(deployment.environment): version \(version?["version"]?.integer ?? 0)"
                )
            }
            for (document, values) in plan.values.sorted(by: { $0.key < $1.key }) where !own.contains(document) {
                try await rotation.rewrite(document, values)
                progress("\(document): \(values.count) value\(values.count == 1 ? "" : "s")")
            }
            try? await options.note(keys: "\(plan.key) active", deployment)
            let left = try await rotation.usage().filter { $0.key != plan.key && !$0.users.isEmpty }
            if options.format == .json {
                options.print([
                    "key": .string(plan.key.rawValue), "values": .integer(count), "version": version?["version"] ?? .null,
                    "stillNeeded": .array(left.map { .string($0.key.rawValue) }),
                ])
            } else {
                options.print("\(count) value\(count == 1 ? " is" : "s are") encrypted with the key \(plan.key)")
                for key in left { options.print("\(key.key) is still needed by \(key.users.joined(separator: ", "))") }
            }
        } catch {
            throw options.end(error)
        }
    }

    /// On a terminal only: what comes out of a pipe is the result.
    private func progress(_ line: String) {
        if isatty(STDERR_FILENO) == 1 { FileHandle.standardError.write(Data((line + "\n").utf8)) }
    }
}
