import Foundation
import PlueAudit
import PlueConfig
import PlueDaemon
import SystemPackage

/// One look at a deployment's audit log: against what this user last saw of it, what lies beside it, and what else was kept.
struct AuditLook {
    var report: AuditVerifier.Report
    /// Whether there was nothing that this user had seen before.
    var isFirst = false

    static let firstWords = "first look, nothing to compare with"

    /// Looks, and remembers what was seen when it is intact.
    /// - Parameters:
    ///   - kept: Checkpoints that were kept elsewhere.
    ///   - given: The key, when it was kept elsewhere.
    ///   - acceptsNewKey: Whether a given key counts although this user has seen another.
    ///   - take: Given the log's entries, as they were when it was verified.
    init(
        _ deployment: Deployment, kept: [AuditVerifier.Witness] = [], key given: VerifierKey? = nil, acceptsNewKey: Bool = false,
        thenRead take: @escaping @Sendable (AuditRecord) -> Void = { _ in }
    ) async {
        let directory = deployment.stateDirectory
        let witness = Witness(of: directory, deployment.variables)
        var seen: (key: VerifierKey, checkpoint: Checkpoint)?
        switch witness.memory {
        case .nothing: isFirst = true
        case .seen(let key, let checkpoint): seen = (key, checkpoint)
        case .unreadable(let problem):
            report = AuditVerifier.Report(
                verdict: .unreadable,
                finding:
                    "what you last saw of this log cannot be read: \(problem); once you know why, forget it with 'plue audit verify --forget'"
            )
            return
        }
        if let given, let seen, given != seen.key {
            guard acceptsNewKey else {
                report = AuditVerifier.Report(
                    verdict: .unknownKey,
                    finding:
                        "the key \(given.text) is not the one you saw before, \(seen.key.text); once you know why, add --accept-new-key")
                return
            }
        }
        let published = (try? SystemFiles().read(directory.appending("audit.pub"), limit: 4096)).flatMap {
            VerifierKey(String(decoding: $0, as: UTF8.self))
        }
        guard let key = given ?? seen?.key ?? published else {
            let isThere = SystemFiles().status(of: directory.appending("plue.db")) != nil
            report = AuditVerifier.Report(
                verdict: isThere ? .unknownKey : .unreadable,
                finding: isThere
                    ? "there is no public key: \(directory)/audit.pub is missing or is none" : "\(directory)/plue.db does not exist")
            return
        }
        var witnesses = kept
        if let seen, seen.key == key { witnesses.append(.init(seen.checkpoint, in: "what you last saw")) }
        let verifier = AuditVerifier(key: key, witnesses: witnesses + AuditVerifier.Witness.copies(beside: directory))
        let database = directory.appending("plue.db").string
        report = await withCheckedContinuation { done in
            Thread { done.resume(returning: verifier.verify(database: database, thenRead: take)) }.start()
        }
        guard report.verdict == .intact, let newest = report.newest, newest.size >= seen?.checkpoint.size ?? 0 || seen?.key != key else {
            return
        }
        do {
            try witness.remember(key, newest)
        } catch {
            report.finding += "; this look could not be remembered in \(witness.path)"
        }
    }
}
