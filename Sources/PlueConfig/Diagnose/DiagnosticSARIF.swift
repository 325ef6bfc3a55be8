import OrderedCollections

/// Diagnostics in SARIF 2.1.0, which code hosts and editors show beside the line.
public enum DiagnosticSARIF {
    /// A log with one run.
    public static func report(_ diagnostics: [Diagnostic]) -> JSONValue {
        var rules: OrderedSet<String> = []
        let results = diagnostics.map { diagnostic in
            result(diagnostic, rule: rules.append(diagnostic.code.rawValue).index)
        }
        return [
            "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
            "version": "2.1.0",
            "runs": [
                [
                    "tool": ["driver": ["name": "plue", "rules": .array(rules.map { ["id": .string($0)] })]],
                    "columnKind": "unicodeCodePoints",
                    "results": .array(results),
                ]
            ],
        ]
    }

    private static func result(_ diagnostic: Diagnostic, rule: Int) -> JSONValue {
        var result: OrderedDictionary<String, JSONValue> = [
            "ruleId": .string(diagnostic.code.rawValue),
            "ruleIndex": .integer(rule),
            "level": .string(diagnostic.severity.rawValue),
            "message": ["text": .string([diagnostic.message, diagnostic.hint].compactMap(\.self).joined(separator: "; "))],
        ]
        let place = location(diagnostic.location, key: diagnostic.key)
        if !place.isEmpty { result["locations"] = [.object(place)] }
        let related = diagnostic.related.enumerated().map { index, related -> JSONValue in
            var place = location(related.location, key: nil)
            place["id"] = .integer(index)
            place["message"] = ["text": .string(related.message)]
            return .object(place)
        }
        if !related.isEmpty { result["relatedLocations"] = .array(related) }
        var properties: OrderedDictionary<String, JSONValue> = [:]
        properties["pointer"] = diagnostic.key.map { .string($0.pointer) }
        properties["expected"] = diagnostic.expected.map(JSONValue.string)
        properties["found"] = diagnostic.found.map(JSONValue.string)
        if !properties.isEmpty { result["properties"] = .object(properties) }
        return .object(result)
    }

    private static func location(_ location: Location?, key: SettingKey?) -> OrderedDictionary<String, JSONValue> {
        var place: OrderedDictionary<String, JSONValue> = [:]
        if let location, location.isInDocument {
            var region: OrderedDictionary<String, JSONValue> = [
                "startLine": .integer(max(1, location.line)), "startColumn": .integer(max(1, location.column)),
                "endLine": .integer(max(1, location.endLine)), "endColumn": .integer(max(1, location.endColumn)),
            ]
            region["snippet"] = location.excerpt.map { ["text": .string($0)] }
            place["physicalLocation"] = ["artifactLocation": ["uri": .string(uri(location.file))], "region": .object(region)]
        }
        var logical: [JSONValue] = []
        if let key { logical.append(["fullyQualifiedName": .string(key.description), "kind": "member"]) }
        // A variable or a flag is a place too, though in no file.
        if let location, !location.isInDocument { logical.append(["name": .string(location.file)]) }
        if !logical.isEmpty { place["logicalLocations"] = .array(logical) }
        return place
    }

    /// A path as a URI reference: absolute paths with their scheme, everything a URI cannot hold percent-encoded.
    private static func uri(_ path: String) -> String {
        var text = path.hasPrefix("/") ? "file://" : ""
        for byte in path.utf8 {
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "0")...UInt8(ascii: "9"),
                UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "~"), UInt8(ascii: "/"):
                text.unicodeScalars.append(Unicode.Scalar(byte))
            default:
                let digits = String(byte, radix: 16, uppercase: true)
                text += "%" + (digits.count == 1 ? "0" : "") + digits
            }
        }
        return text
    }
}
