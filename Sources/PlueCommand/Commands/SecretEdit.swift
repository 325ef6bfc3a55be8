import ArgumentParser
import Foundation
import PlueConfig
import PlueDaemon
import SystemPackage

/// `plue secret edit`: a document in the editor, its encrypted values in plain text meanwhile.
struct SecretEdit: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "edit",
        abstract: "Open a document in $VISUAL or $EDITOR with its encrypted values in plain text; what changed is encrypted again.",
        discussion: """
            Encrypted values stand as enc:edit:"…" in the copy; write a new one the same way. The copy is in a directory of its own that \
            nobody else may read, in memory where the system has such a place, and is gone afterwards.
            """)

    @OptionGroup var options: GlobalOptions

    @Option(help: "Why; kept in the history.")
    var reason = "edited"

    @Argument(help: "The document; the environment's own when left out.")
    var document: String?

    func run() async throws {
        do {
            let deployment = try await options.runningDeployment()
            let text = try await deployment.document(named: document)
            let editing = try SecretEditing(text, of: deployment)
            let opened = try editing.opened()
            let copy = try PrivateCopy(opened, named: text.name.split(separator: "/").last.map(String.init) ?? "document.ini")
            defer { copy.remove() }
            let version = try? await options.client(deployment).get("/v1/status")["version"]?.integer
            while true {
                try await copy.edit()
                let edited = try copy.read()
                guard edited != opened else { return options.print("nothing changed") }
                do {
                    let bytes = try editing.sealed(edited)
                    return try await options.change(
                        deployment, Edits([.replace(document: text.name, with: bytes)]), reason: reason, ifVersion: version)
                } catch {
                    let ended = options.end(error)
                    guard isatty(STDIN_FILENO) == 1, askAgain() else { throw ended }
                }
            }
        } catch {
            throw options.end(error)
        }
    }

    private func askAgain() -> Bool {
        FileHandle.standardError.write(Data("edit it again? [Y/n] ".utf8))
        guard let answer = readLine() else { return false }
        return !answer.lowercased().hasPrefix("n")
    }
}
