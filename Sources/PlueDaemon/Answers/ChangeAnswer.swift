public import PlueConfig

/// What a change came to, as the API and the command line give it, whoever carried it out.
public enum ChangeAnswer {
    /// `{"version":42,"changed":["server.port"],"confirm":null}`
    /// - Throws: ``RejectedChange`` for a candidate that was refused.
    public static func json(_ outcome: ReloadOutcome, confirmation: Confirmation? = nil) throws(RejectedChange) -> JSONValue {
        switch outcome {
        case .unchanged(let version): ["version": .integer(version), "committed": false, "changed": [], "confirm": .null]
        case .committed(let version, let plan):
            [
                "version": .integer(version), "committed": true, "changed": .array(plan.changes.map { .string($0.key.description) }),
                "confirm": confirmation.map(StatusJSON.confirmation) ?? .null,
                "warnings": .array(plan.warnings.map(DiagnosticJSON.framed)),
            ]
        case .rejected(let attempt): throw RejectedChange(attempt: attempt)
        }
    }

    /// For people.
    public static func text(_ answer: JSONValue) -> String {
        if let proposal = answer["proposal"] {
            let id = proposal["id"]?.integer ?? 0
            let sections = (answer["sections"]?.elements ?? []).compactMap(\.string).map { "[\($0)]" }.joined(separator: ", ")
            return
                "nothing is changed yet: \(sections) takes somebody else's approval\nproposal \(id) waits for 'plue approve \(id)' until \(proposal["expires"]?.string ?? "")"
        }
        let warnings = (answer["warnings"]?.elements ?? []).filter { $0["code"]?.string == "kept-copy" }
        let text = ([StatusText.reload(answer)] + warnings.map { "warning: \($0["message"]?.string ?? "")" }).joined(separator: "\n")
        guard let confirm = answer["confirm"], confirm != .null else { return text }
        return text
            + "\nconfirm it within \(confirm["remainingSeconds"]?.integer ?? 0) s with 'plue confirm', or version \(confirm["fallback"]?.integer ?? 0) comes back"
            + (confirm["offline"] == nil
                ? "" : "\nno daemon runs: it comes back at the next start, or with the next command that changes something")
    }
}

/// A candidate that was refused.
public struct RejectedChange: Error, Sendable {
    public let attempt: Attempt
}

/// What a change would do, setting by setting and service by service.
public enum PlanAnswer {
    /// `{"version":42,"changes":[…],"services":[…],"documents":[…],"pendingRestart":[],"warnings":[]}`
    /// - Parameters:
    ///   - version: The version beside which it was planned; 0 for none.
    ///   - services: All of them; those that do not take part are listed with the action `none`.
    static func json(
        changes: [Plan.Change], beside version: Int, taking part: [PlannedService], of services: [String], writes: [DocumentChange],
        warnings: [Diagnostic], _ fingerprints: Fingerprints
    ) -> JSONValue {
        let taking = Dictionary(part.map { ($0.name, $0) }, uniquingKeysWith: { $1 })
        return [
            "version": .integer(version),
            "changes": .array(changes.map { change($0, fingerprints) }),
            "services": .array(
                services.map { name in
                    JSONValue([
                        "name": .string(name), "action": .string((taking[name]?.action ?? ServiceAction.none).rawValue),
                        "verify": taking[name].map { .string($0.verification) },
                    ])
                }),
            "documents": .array(
                writes.map { write in
                    [
                        "name": .string(write.name),
                        "change": .string(write.before == nil ? "created" : write.after == nil ? "deleted" : "edited"),
                    ]
                }),
            "pendingRestart": .array(changes.filter { $0.effect == .restart }.map { .string($0.key.description) }),
            "warnings": DiagnosticJSON.report(warnings)["diagnostics"] ?? [],
        ]
    }

    /// `{"key":"server.port","old":8080,"new":8443,"oldOrigin":"…","newOrigin":"…","effect":"live"}`, with `"contentOnly":true` for a
    /// file that is the same by its path.
    static func change(_ change: Plan.Change, _ fingerprints: Fingerprints) -> JSONValue {
        JSONValue([
            "key": .string(change.key.description), "old": fingerprints.shown(change.old).json, "new": fingerprints.shown(change.new).json,
            "oldOrigin": .string(change.oldOrigin), "newOrigin": .string(change.newOrigin), "effect": .string(change.effect.rawValue),
            "contentOnly": change.isOfContentOnly ? true : nil,
        ])
    }

    /// For people.
    public static func text(_ plan: JSONValue, colour: Bool) -> String {
        func painted(_ text: String, _ code: Int) -> String { colour ? "\u{1B}[\(code)m\(text)\u{1B}[0m" : text }
        let changes = plan["changes"]?.elements ?? []
        let version = plan["version"]?.integer ?? 0
        guard !changes.isEmpty || plan["documents"]?.elements.isEmpty == false else { return "nothing would change" }
        var lines = [version == 0 ? "nothing runs yet:" : "beside version \(version):"]
        for change in changes {
            let (old, new) = (shown(change["old"]), shown(change["new"]))
            lines.append(
                "  \(change["key"]?.string ?? ""): \(painted(old, 31)) → \(painted(new, 32))\(change["contentOnly"]?.boolean == true ? "  (the file's content)" : "")\(change["effect"]?.string == "restart" ? "  (after a restart)" : "")"
            )
            let places = [change["oldOrigin"]?.string ?? "", change["newOrigin"]?.string ?? ""].filter { !$0.isEmpty }
            lines.append("      \(places.joined(separator: " → "))")
        }
        for document in plan["documents"]?.elements ?? [] {
            lines.append("  document \(document["name"]?.string ?? "") \(document["change"]?.string ?? "")")
        }
        lines.append("services:")
        for service in plan["services"]?.elements ?? [] {
            let verify = service["verify"]?.string.map { ", then verified by \($0)" } ?? ""
            lines.append("  \(service["name"]?.string ?? ""): \(service["action"]?.string ?? "")\(verify)")
        }
        for warning in plan["warnings"]?.elements ?? [] {
            lines.append("warning[\(warning["code"]?.string ?? "")]: \(VisibleText.of(warning["message"]?.string ?? ""))")
        }
        lines.append("\(changes.count) setting\(changes.count == 1 ? "" : "s")")
        return lines.joined(separator: "\n")
    }

    /// A value as ``ShownValue`` writes it, from its JSON.
    static func shown(_ value: JSONValue?) -> String {
        switch value {
        case nil, .null?: "(unset)"
        case .string("")?: "\"\""
        case .string(let text)?: VisibleText.of(text)
        case .array(let items)?: items.map { shown($0) }.joined(separator: ", ")
        case .object?: value?["set"]?.boolean == false ? "(unset)" : "(secret \(value?["fingerprint"]?.string ?? ""))"
        case let value?: value.text()
        }
    }
}
