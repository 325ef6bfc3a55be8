import Crypto
import Foundation
public import PlueConfig
import PlueLedger

/// What somebody asks for that takes two, in a form that can wait.
struct ChangeWish: Sendable {
    enum Change: Sendable {
        case edits(Edits)
        case rollback(to: Int)
    }

    let change: Change
    let confirmWithin: Duration?

    /// `{"edits":[…],"confirmWithin":"60s"}`, `{"rollback":41}`; `nil` for one that cannot wait.
    var json: JSONValue? {
        var json: JSONValue
        switch change {
        case .edits(let edits):
            json = EditsJSON.json(edits)
            guard json["edits"]?.elements.count == edits.steps.count else { return nil }
        case .rollback(let version): json = ["rollback": .integer(version)]
        }
        if let confirmWithin { json["confirmWithin"] = .string("\(StatusJSON.milliseconds(confirmWithin))ms") }
        return json
    }

    init(_ change: Change, confirmWithin: Duration?) {
        self.change = change
        self.confirmWithin = confirmWithin
    }

    /// - Returns: `nil` for what no Plue writes.
    init?(stored text: String) {
        guard var json = try? JSONValue(parsing: Array(text.utf8), name: "the proposal") else { return nil }
        let time = json["confirmWithin"]?.string
        confirmWithin = time.flatMap { try? Duration(setting: .scalar($0)) }
        guard (time == nil) == (confirmWithin == nil) else { return nil }
        json["confirmWithin"] = nil
        if let version = json["rollback"]?.integer {
            change = .rollback(to: version)
        } else if let edits = try? EditsJSON.edits(from: json) {
            change = .edits(edits)
        } else {
            return nil
        }
    }
}

extension ProposedChange {
    /// What is approved: everything that the change would do. Another version beneath it, another value, another byte in a document, and
    /// it is another.
    func hash(_ fingerprints: Fingerprints) -> String {
        var hash = SHA256()
        func add(_ text: String) {
            withUnsafeBytes(of: UInt64(text.utf8.count).bigEndian) { hash.update(bufferPointer: $0) }
            hash.update(data: Data(text.utf8))
        }
        add("plue/proposal/1")
        add("\(version)")
        add(digest)
        for write in writes {
            add(write.name)
            add(write.after.map { SHA256.hash(data: $0).description } ?? "deleted")
        }
        for change in plan.changes { add(PlanAnswer.change(change, fingerprints).text()) }
        for service in plan.services { add("\(service.name) \(service.action.rawValue)") }
        return "sha256:" + hash.finalize().map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }
}

/// Proposals, as the API and the command line give them.
public enum ProposalAnswer {
    /// `{"id":3,"hash":"sha256:…","actor":…,"reason":…,"at":…,"expires":…,"version":41,"stale":false,"plan":{…}}`
    static func json(_ proposal: StoredProposal, running: Int) -> JSONValue {
        [
            "id": .integer(proposal.id), "hash": .string(proposal.hash), "actor": .string(proposal.actor),
            "reason": .string(proposal.reason), "at": TokenAnswer.time(proposal.at), "expires": TokenAnswer.time(proposal.expiresAt),
            "version": .integer(proposal.version), "stale": .boolean(proposal.version != running),
            "plan": (try? JSONValue(parsing: Array(proposal.plan.utf8), name: "the plan")) ?? .null,
        ]
    }

    /// `{"proposal":{…},"sections":["server"]}`
    static func json(_ proposal: StoredProposal, _ sections: [String], running: Int) -> JSONValue {
        ["proposal": json(proposal, running: running), "sections": .array(sections.map { .string($0) })]
    }

    /// For people.
    public static func text(_ proposal: JSONValue, colour: Bool) -> String {
        let reason = proposal["reason"]?.string ?? ""
        var lines = [
            "proposal \(proposal["id"]?.integer ?? 0) of \(VisibleText.of(proposal["actor"]?.string ?? ""))\(reason.isEmpty ? "" : ": \(VisibleText.of(reason))")",
            "until \(proposal["expires"]?.string ?? "")\(proposal["stale"]?.boolean == true ? ", but another version runs by now: it cannot be approved any more" : "")",
        ]
        lines.append(PlanAnswer.text(proposal["plan"] ?? [:], colour: colour))
        lines.append(proposal["hash"]?.string ?? "")
        return lines.joined(separator: "\n")
    }
}
