import OrderedCollections
import PlueDocuments
import SystemPackage

/// Makes substitutions. What one yields is never looked at again, so no value can smuggle in a reference.
struct Resolver {
    let stack: LayerStack
    let schema: SectionModel
    let candidate: Candidate
    private(set) var problems: [Diagnostic] = []
    /// What other settings that `${config:…}` names resolved to; `nil` for one that has a problem of its own.
    private var settings: [SettingKey: Text?] = [:]
    /// The settings being resolved, outermost first; meeting one again is a cycle.
    private var open: [SettingKey] = []

    /// A resolved text.
    struct Text {
        var text: SettingText
        /// Whether a part of it came from something secret.
        var isSecret: Bool
        /// Whether it stands in a document as it is, for whoever reads that.
        var isPlain = false
    }

    /// `${config:…}` may lead on so many times; a longer way is a mistake, and recursion must end somewhere.
    private static let longestChain = 64
    /// A resolved value is at most this long, so that settings that double each other cannot fill the memory.
    private static let longestText = 1_048_576

    init(stack: LayerStack, schema: SectionModel, candidate: Candidate) {
        self.stack = stack
        self.schema = schema
        self.candidate = candidate
    }

    /// A value as text of its type; `nil` when it has a problem, which is then in ``problems``.
    mutating func text(of value: LayeredValue, for model: SettingModel, key: SettingKey) -> Text? {
        // Another setting may have referred to it already; its problems are reported then.
        if !settings.isEmpty, let known = settings[key] { return known }
        let contribution = value.winner
        let isList = model.kind.isList
        switch contribution.text {
        case .literal(let text):
            let place = Place(key: key, model: model, contribution: contribution, document: nil)
            if text.isEncryptedValue { return opened(text, place) }
            return Text(text: isList ? .list(ValueText.literalItems(text)) : .scalar(text), isSecret: false)
        case .file(let path):
            let place = Place(key: key, model: model, contribution: contribution, document: nil)
            guard let text = file(path, named: "the file \(path)", place, 0..<0)?.text else { return nil }
            return Text(text: isList ? .list(ValueText.literalItems(text)) : .scalar(text), isSecret: true)
        case .entry:
            guard case .entry(let layer, let entry) = contribution.origin, case .document(let document, _) = layer.content else {
                return nil
            }
            if !isList, entry.form == .bare {
                let text = document.rawText(of: entry)
                if !text.utf8.contains(UInt8(ascii: "$")), !text.isEncryptedValue {
                    return Text(text: .scalar(text), isSecret: false, isPlain: true)
                }
            }
            let place = Place(key: key, model: model, contribution: contribution, document: document)
            guard isList else { return scalar(document.fragments(of: entry), place) }
            do {
                return items(try document.items(of: entry), place)
            } catch {
                problems += error.problems.map { Diagnostic($0, in: document, key: key, isShown: !model.isSecret) }
                return nil
            }
        case .written(let text):
            let place = Place(key: key, model: model, contribution: contribution, document: nil)
            guard isList else { return scalar(text.fragments, place) }
            do {
                return items(try text.items(), place)
            } catch {
                problems += error.problems.map {
                    Diagnostic(
                        DiagnosticCode(rawValue: $0.code.rawValue), key: key, at: contribution.origin.location, $0.message, hint: $0.hint)
                }
                return nil
            }
        }
    }

    /// Where the references being resolved stand.
    private struct Place {
        let key: SettingKey
        let model: SettingModel
        let contribution: Contribution
        let document: Document?

        func secretPlace(in environment: EnvironmentName) -> SecretPlace {
            guard case .entry(let layer, let entry) = contribution.origin, case .document(let document, let role) = layer.content else {
                return SecretPlace(profile: environment.rawValue, key: key, type: model.kind.name)
            }
            // Under the name it is written with, which may be a deprecated one.
            let written = SettingKey(section: key.section, name: document.key(of: entry))
            return SecretPlace(profile: role.secretProfile, key: written, type: model.kind.name)
        }

        func location(of range: Range<Int>) -> Location? {
            guard let document, range.lowerBound >= 0 else { return contribution.origin.location }
            let range = SourceRange(start: UInt32(clamping: range.lowerBound), end: UInt32(clamping: range.upperBound))
            // The reference itself is no secret, but literal text beside it may be.
            guard case .entry(_, let entry) = contribution.origin else { return nil }
            let isShown = !model.isSecret || entry.valueRange == range
            return document.location(of: range, excerpt: isShown ? document.lineText(at: range) : document.lineBlanked(after: entry))
        }
    }

    private mutating func scalar(_ fragments: [Fragment], _ place: Place) -> Text? {
        if let token = Self.token(fragments) { return opened(token, place) }
        guard let joined = join(fragments, place) else { return nil }
        return Text(text: .scalar(joined.text), isSecret: joined.isSecret, isPlain: !joined.hasReference && place.document != nil)
    }

    private mutating func items(_ items: [Item], _ place: Place) -> Text? {
        var texts: [String] = []
        var isSecret = false
        var isWhole = true
        if items.count == 1, let token = Self.token(items[0].fragments) { return opened(token, place) }
        for item in items {
            guard Self.token(item.fragments) == nil else {
                report(
                    "secret.undecryptable", place, 0..<0, "\(place.key) has an encrypted item, but only a whole value can be encrypted",
                    hint: "encrypt the list as one: 'plue secret encrypt \(place.key)'")
                return nil
            }
            guard let joined = join(item.fragments, place) else {
                isWhole = false
                continue
            }
            isSecret = isSecret || joined.isSecret
            // As in a shell: what an unquoted reference yields is split, what a quoted one yields is one item.
            if item.form == .bare, joined.hasReference {
                texts += ValueText.literalItems(joined.text)
            } else {
                texts.append(joined.text)
            }
        }
        return isWhole ? Text(text: .list(texts), isSecret: isSecret) : nil
    }

    /// An encrypted value that is the whole of what is written; in `'…'` it is text like any other.
    private static func token(_ fragments: [Fragment]) -> String? {
        guard let first = fragments.first, first.isVerbatim, first.text.utf8.starts(with: "enc:v".utf8) else { return nil }
        let text = fragments.map(\.text).joined()
        return text.isEncryptedValue ? text : nil
    }

    private mutating func opened(_ token: String, _ place: Place) -> Text? {
        do throws(UndecryptableSecret) {
            guard let keys = candidate.keys else {
                throw UndecryptableSecret(
                    "is encrypted, and there is no keyring",
                    hint: "put the one back that it was encrypted with, or name it in $PLUE_KEYRING_FILE")
            }
            let secret = try keys.open(token, place.secretPlace(in: candidate.environment))
            // Covered again by the setting, which is secret from here on.
            let text = secret.withExposed(\.self)
            return Text(text: place.model.kind.isList ? .list(ValueText.literalItems(text)) : .scalar(text), isSecret: true)
        } catch {
            report("secret.undecryptable", place, 0..<0, "\(place.key) \(error.problem)", hint: error.hint)
            return nil
        }
    }

    private mutating func join(_ fragments: [Fragment], _ place: Place) -> (text: String, isSecret: Bool, hasReference: Bool)? {
        let substitution: Substitution
        do {
            substitution = try Substitution(fragments)
        } catch {
            report("substitution", place, error.range, "\(place.key): \(error.message)", hint: error.hint)
            return nil
        }
        var text = ""
        var isSecret = false
        var hasReference = false
        var isWhole = true
        for piece in substitution.pieces {
            switch piece {
            case .literal(let literal): text += literal
            case .reference(let reference):
                hasReference = true
                if let part = value(of: reference, place) {
                    text += part.text
                    isSecret = isSecret || part.isSecret
                } else {
                    isWhole = false
                }
            }
            if text.utf8.count > Self.longestText {
                report("too-long", place, 0..<0, "\(place.key) grows past 1 MiB by its substitutions", hint: "shorten what it refers to")
                return nil
            }
        }
        if hasReference, text.isEncryptedValue {
            // What a substitution yields is never looked at again, and a ciphertext is never a value.
            report(
                "secret.undecryptable", place, 0..<0, "\(place.key) is an encrypted value by way of a substitution, which is not opened",
                hint: "write the encrypted value itself")
            return nil
        }
        return isWhole ? (text, isSecret, hasReference) : nil
    }

    private mutating func value(of reference: Substitution.Reference, _ place: Place) -> (text: String, isSecret: Bool)? {
        switch reference.source {
        case .variable(let name):
            let value = candidate.variables[name]
            if let value, !value.isEmpty || reference.fallback == nil { return (value, false) }
            switch reference.fallback {
            case .text(let text): return (text, false)
            case .message(let message):
                report("unset-variable", place, reference.range, "\(place.key): $\(name) is not set: \(message)", hint: nil)
            case nil:
                report(
                    "unset-variable", place, reference.range, "\(place.key) needs the environment variable \(name), which is not set",
                    hint: "set \(name), or give a default: ${\(name):-text}")
            }
            return nil
        case .file(let path): return file(path, named: "the file \(path)", place, reference.range)
        case .credential(let name):
            guard let directory = candidate.variables["CREDENTIALS_DIRECTORY"], !directory.isEmpty else {
                report(
                    "unreadable-secret", place, reference.range,
                    "\(place.key) needs the credential '\(name)', but CREDENTIALS_DIRECTORY is not set",
                    hint: "run under systemd with LoadCredential=\(name):…")
                return nil
            }
            return file(FilePath(directory).appending(name), named: "the credential '\(name)'", place, reference.range)
        case .setting(let key): return setting(key, place, reference)
        }
    }

    private mutating func file(
        _ path: FilePath, named name: String, _ place: Place, _ range: Range<Int>
    ) -> (text: String, isSecret: Bool)? {
        switch candidate.secretFiles[path] {
        case .success(let text): return (text, true)
        case .failure(let error):
            report("unreadable-secret", place, range, "\(place.key) needs \(name): \(error)", hint: nil)
        case nil:
            report("unreadable-secret", place, range, "\(place.key) needs \(name), which was not read", hint: nil)
        }
        return nil
    }

    private mutating func setting(
        _ key: SettingKey, _ place: Place, _ reference: Substitution.Reference
    ) -> (text: String, isSecret: Bool)? {
        if open.isEmpty { open = [place.key] }
        defer { if open.count == 1 { open = [] } }
        if let start = open.firstIndex(of: key) {
            let chain = (open[start...] + [key]).map(\.description).joined(separator: " → ")
            report(
                "substitution-cycle", place, reference.range, "settings refer to each other in a circle: \(chain)",
                hint: "give one of them a value of its own")
            return nil
        }
        guard open.count < Self.longestChain else {
            report(
                "substitution-depth", place, reference.range, "\(place.key) leads through more than \(Self.longestChain) settings",
                hint: nil)
            return nil
        }
        guard let model = schema.setting(for: key) else {
            let known = schema.section(named: key.section).map { Array($0.settings.keys) } ?? []
            report(
                "unknown-key", place, reference.range, "\(place.key) refers to \(key), which does not exist",
                hint: nearest(key.name, among: known).map { "did you mean ${config:\(key.section).\($0)}?" })
            return nil
        }
        let resolved: Text?
        if let known = settings[key] {
            resolved = known
        } else if let value = stack.sections[key.section]?.keys[key.name] {
            open.append(key)
            resolved = text(of: value, for: model, key: key)
            open.removeLast()
            settings[key] = .some(resolved)
        } else if let fallback = model.defaultValue {
            resolved = Text(text: SettingText(fallback), isSecret: false)
        } else {
            report("unset-setting", place, reference.range, "\(place.key) refers to \(key), which is not set", hint: "set \(key)")
            return nil
        }
        // A problem of the other setting is reported where it stands.
        guard let resolved else { return nil }
        return (resolved.text.scalar, resolved.isSecret || model.isSecret)
    }

    private mutating func report(_ code: DiagnosticCode, _ place: Place, _ range: Range<Int>, _ message: String, hint: String?) {
        let location = range.isEmpty ? place.contribution.valueLocation(isSecret: place.model.isSecret) : place.location(of: range)
        problems.append(Diagnostic(code, key: place.key, at: location, message, hint: hint))
    }
}
