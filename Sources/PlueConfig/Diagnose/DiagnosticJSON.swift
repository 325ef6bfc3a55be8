import OrderedCollections

/// Diagnostics as programs read them.
///
/// ```json
/// {"valid":false,"diagnostics":[{"code":"range","severity":"error","key":"server.port","pointer":"/server/port",
///   "file":"config/production.ini","line":4,"column":8,"endLine":4,"endColumn":13,
///   "message":"server.port is 99999, but must be between 1 and 65535","expected":"1...65535","found":"99999","related":[]}]}
/// ```
///
/// What a diagnostic does not have is left out, never `null`; `related` is always there. Lines and columns count from 1,
/// columns in Unicode scalars, the end is exclusive. A place that is no document, `$PLUE__SERVER__PORT`, has `file` alone.
public enum DiagnosticJSON {
    /// The whole report: whether there is no error, and every diagnostic in the order given.
    public static func report(_ diagnostics: [Diagnostic]) -> JSONValue {
        ["valid": .boolean(!diagnostics.hasErrors), "diagnostics": .array(diagnostics.map(value))]
    }

    /// One diagnostic, as in a report and in the `errors` of an HTTP problem.
    public static func value(_ diagnostic: Diagnostic) -> JSONValue {
        var members = Members()
        members["code"] = .string(diagnostic.code.rawValue)
        members["severity"] = .string(diagnostic.severity.rawValue)
        members["key"] = diagnostic.key.map { .string($0.description) }
        members["pointer"] = diagnostic.key.map { .string($0.pointer) }
        members.add(diagnostic.location)
        members["message"] = .string(diagnostic.message)
        members["expected"] = diagnostic.expected.map(JSONValue.string)
        members["found"] = diagnostic.found.map(JSONValue.string)
        members["hint"] = diagnostic.hint.map(JSONValue.string)
        members["related"] = .array(
            diagnostic.related.map { related in
                var members: Members = ["message": .string(related.message)]
                members.add(related.location)
                return .object(members)
            })
        return .object(members)
    }

    /// One diagnostic with what a terminal shows besides: the line it stands in, and what stands beside the carets.
    package static func framed(_ diagnostic: Diagnostic) -> JSONValue {
        var json = value(diagnostic)
        json["label"] = diagnostic.label.map(JSONValue.string)
        json["excerpt"] = diagnostic.location?.excerpt.map(JSONValue.string)
        return json
    }

    /// Reads what ``framed(_:)`` wrote; what is no diagnostic is left out.
    package static func diagnostics(from json: JSONValue) -> [Diagnostic] {
        json.elements.compactMap { element in
            guard let code = element["code"]?.string, let message = element["message"]?.string else { return nil }
            return Diagnostic(
                DiagnosticCode(rawValue: code), severity: element["severity"]?.string.flatMap(Diagnostic.Severity.init) ?? .error,
                key: element["key"]?.string.flatMap { SettingKey($0) }, at: location(from: element), message,
                label: element["label"]?.string, expected: element["expected"]?.string, found: element["found"]?.string,
                hint: element["hint"]?.string,
                related: (element["related"]?.elements ?? []).map {
                    Diagnostic.Related($0["message"]?.string ?? "", at: location(from: $0))
                })
        }
    }

    private static func location(from json: JSONValue) -> Location? {
        guard let file = json["file"]?.string else { return nil }
        func number(_ name: String) -> Int { max(1, json[name]?.integer ?? 1) }
        return Location(
            file: file, line: number("line"), column: number("column"), endLine: number("endLine"), endColumn: number("endColumn"),
            excerpt: json["excerpt"]?.string)
    }

    fileprivate typealias Members = OrderedDictionary<String, JSONValue>
}

extension DiagnosticJSON.Members {
    fileprivate mutating func add(_ location: Location?) {
        guard let location else { return }
        self["file"] = .string(location.file)
        guard location.isInDocument else { return }
        self["line"] = .integer(location.line)
        self["column"] = .integer(location.column)
        self["endLine"] = .integer(location.endLine)
        self["endColumn"] = .integer(location.endColumn)
    }
}
