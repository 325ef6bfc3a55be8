import OrderedCollections
import PlueConfig

/// What bodies and answers look like, as JSON Schema.
///
/// Answers may gain members in later releases of version 1, so objects are open; what is named in `required` stays.
enum OpenAPISchemas {
    /// - Parameter sections: Those that there can be by name.
    static func all(sections: [String]) -> JSONValue {
        var all = fixed
        all["TokenWish"] = tokenWish(sections)
        return all
    }

    private static let fixed: JSONValue = [
        "Object": ["type": "object"],
        "Problem": object(
            [
                "type": text, "title": text, "status": number, "detail": text, "phase": text, "service": text, "rolledBack": flag,
                "errors": list("Diagnostic"), "version": number,
            ],
            required: "type", "title", "status", "detail"),
        "Diagnostic": object(
            [
                "code": text, "severity": ["enum": ["error", "warning"]], "key": text, "pointer": text, "file": text, "line": number,
                "column": number, "endLine": number, "endColumn": number, "message": text, "expected": text, "found": text, "hint": text,
                "related": ["type": "array", "items": ["type": "object"]],
            ], required: "code", "severity", "message"),
        "Report": object(
            ["valid": flag, "version": number, "diagnostics": list("Diagnostic")], required: "valid", "version", "diagnostics"),
        "Configuration": object(["version": number, "values": ["type": "object"]], required: "version", "values"),
        "SettingOrSection": ["type": "object"],
        "Explanation": object(["key": text, "secret": flag, "description": text, "layers": ["type": "array"]], required: "key", "layers"),
        "Revealed": object(["key": text, "value": [:]], required: "key", "value"),
        "Changed": object(
            [
                "version": number, "committed": flag, "changed": ["type": "array", "items": text],
                "confirm": orNull(reference("Confirmation")), "warnings": list("Diagnostic"),
            ], required: "version", "committed", "changed", "confirm"),
        "Confirmation": object(
            ["version": number, "fallback": number, "deadline": ["type": "string", "format": "date-time"], "remainingSeconds": number],
            required: "version", "fallback", "deadline", "remainingSeconds"),
        "Confirmed": object(["version": number], required: "version"),
        "Plan": object(
            [
                "version": number,
                "changes": [
                    "type": "array",
                    "items": object(
                        [
                            "key": text, "old": [:], "new": [:], "oldOrigin": text, "newOrigin": text,
                            "effect": ["enum": ["live", "restart"]],
                        ],
                        required: "key", "old", "new", "effect"),
                ],
                "services": [
                    "type": "array",
                    "items": object(
                        ["name": text, "action": ["enum": ["none", "live", "swap", "restart"]], "verify": text], required: "name", "action"),
                ],
                "documents": [
                    "type": "array",
                    "items": object(["name": text, "change": ["enum": ["created", "edited", "deleted"]]], required: "name", "change"),
                ],
                "pendingRestart": ["type": "array", "items": text], "warnings": list("Diagnostic"),
            ], required: "version", "changes", "services", "documents", "pendingRestart", "warnings"),
        "Rollback": [
            "type": "object", "properties": ["version": ["type": "integer", "minimum": 1, "maximum": .integer(Int(Int32.max))]],
            "required": ["version"], "additionalProperties": false,
        ],
        "Documents": object(["version": number, "documents": list("StoredDocument")], required: "version", "documents"),
        "StoredDocument": object(["name": text, "bytes": number, "fingerprint": text], required: "name", "bytes", "fingerprint"),
        "Attempt": object(
            [
                "id": number, "trigger": text, "actor": text, "reason": text, "at": ["type": "string", "format": "date-time"],
                "durationMs": number, "phase": text, "outcome": orNull(text), "problem": orNull(text), "version": number,
                "parent": orNull(number), "digest": text, "environment": text, "changed": ["type": "array", "items": text],
                "services": ["type": "array", "items": ["type": "object"]], "diagnostics": list("Diagnostic"),
                "documents": list("StoredDocument"),
            ], required: "id", "trigger", "actor", "at", "phase", "outcome"),
        "Version": reference("Attempt"),
        "Versions": object(["entries": list("Attempt"), "next": orNull(number)], required: "entries", "next"),
        "Comparison": object(
            ["old": text, "new": text, "changes": ["type": "array", "items": ["type": "object"]]], required: "old", "new", "changes"),
        "AuditEntries": object(
            [
                "entries": [
                    "type": "array", "items": object(["seq": number, "time": text, "action": text], required: "seq", "time", "action"),
                ],
                "next": orNull(number),
            ], required: "entries", "next"),
        "AuditReport": object(
            [
                "verdict": ["enum": ["intact", "modified", "truncated", "unknownKey", "gap", "unreadable"]], "finding": text,
                "entries": number, "unsigned": number, "checkpoint": orNull(["type": "object"]),
            ],
            required: "verdict", "finding", "entries", "unsigned"),
        "Event": object(
            [
                "id": text, "data": ["type": "string", "contentMediaType": "application/json"],
                "event": ["enum": ["state", "version", "attempt", "confirm", "end"]],
            ], required: "event", "data"),
        "Tokens": object(["tokens": ["type": "array", "items": ["type": "object"]]], required: "tokens"),
        "NewToken": object(
            ["name": text, "token": text, "role": text, "sections": orNull(["type": "array", "items": text]), "expires": orNull(text)],
            required: "name", "token", "role"),
        "Proposal": object(
            [
                "id": number, "hash": text, "actor": text, "reason": text, "at": text, "expires": text, "version": number, "stale": flag,
                "plan": ["type": "object"],
            ],
            required: "id", "hash", "actor", "plan", "stale"),
        "Proposed": object(
            ["proposal": ["$ref": "#/components/schemas/Proposal"], "sections": ["type": "array", "items": text]],
            required: "proposal", "sections"),
        "Proposals": object(["proposals": list("Proposal")], required: "proposals"),
        "Approval": strict(["hash": text]),
        "Withdrawn": object(["withdrawn": number], required: "withdrawn"),
        "Revoked": object(["revoked": text], required: "revoked"),
        "SignIn": [
            "oneOf": [strict(["token": text]), strict(["code": text])]
        ],
        "Identity": object(
            ["actor": text, "role": orNull(text), "sections": orNull(["type": "array", "items": text]), "expires": orNull(text)],
            required: "actor", "role", "sections", "expires"),
        "ConsoleCode": object(["url": text, "code": text, "expires": text], required: "url", "code", "expires"),
        "Service": object(
            ["name": text, "state": text, "version": number, "draining": number], required: "name", "state", "version", "draining"),
        "Services": object(["version": number, "services": list("Service")], required: "version", "services"),
        "Status": object(
            [
                "version": number, "digest": text, "environment": text,
                "state": ["enum": ["running", "applying", "awaiting-confirm", "rejected", "degraded"]], "drift": flag,
                "lastKnownGood": flag, "lastAttempt": orNull(reference("Attempt")), "pendingRestart": ["type": "array", "items": text],
                "watch": object(["mode": text, "reason": orNull(text)], required: "mode"), "confirm": orNull(reference("Confirmation")),
                "services": list("Service"), "directory": text,
            ], required: "version", "digest", "environment", "state", "drift", "lastAttempt", "pendingRestart", "watch", "confirm",
            "services"),
        "MergePatch": [
            "type": "object", "description": "RFC 7396 over the values of GET /v1/config; null deletes a key's line, or a section.",
            "examples": [["server": ["max_connections": 2000, "debug": nil]]],
        ],
        "JSONPatch": [
            "type": "array", "description": "RFC 6902 over the values of GET /v1/config; a test that fails is 409.",
            "items": [
                "type": "object", "required": ["op", "path"],
                "properties": ["path": pointer, "from": pointer, "op": ["enum": ["add", "remove", "replace", "move", "copy", "test"]]],
                "allOf": [
                    operation(["add", "replace", "test"], needs: "value"), operation(["move", "copy"], needs: "from"),
                ],
            ],
            "maxItems": 10_000,
        ],
        "Edits": [
            "type": "object", "required": ["edits"], "additionalProperties": false,
            "properties": [
                "edits": [
                    "type": "array", "minItems": 1,
                    "items": [
                        "oneOf": [
                            strict(["set": key, "to": text]), strict(["set": key, "to": text, "in": text]), strict(["remove": key]),
                            strict(["removeSection": text]), strict(["replace": text, "with": text]), strict(["removeDocument": text]),
                        ]
                    ],
                ]
            ],
        ],
        "DocumentTexts": [
            "type": "object", "required": ["documents"], "additionalProperties": false,
            "properties": [
                "documents": ["type": "object", "minProperties": 1, "additionalProperties": ["type": ["string", "null"]]]
            ],
            "examples": [["documents": ["production.d/10-x.ini": "[server]\nmax_connections = 2000\n", "production.d/20-y.ini": nil]]],
        ],
    ]

    private static func tokenWish(_ sections: [String]) -> JSONValue {
        [
            "type": "object", "required": ["name", "role"], "additionalProperties": false,
            "properties": [
                "name": ["type": "string", "pattern": "^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"],
                "role": ["enum": .array(Role.allCases.map { .string($0.rawValue) })],
                "sections": orNull(["type": "array", "minItems": 1, "items": ["enum": .array(sections.map(JSONValue.string))]]),
                "expires": orNull(["type": "string", "pattern": "^[1-9][0-9]{0,2}d$"]),
            ],
        ]
    }

    private static let text: JSONValue = ["type": "string"]
    private static let number: JSONValue = ["type": "integer"]
    private static let time: JSONValue = ["type": "string", "format": "date-time"]
    private static let flag: JSONValue = ["type": "boolean"]
    private static let pointer: JSONValue = ["type": "string", "pattern": "^(/([^/~]|~[01])*)*$"]
    private static let key: JSONValue = ["type": "string", "pattern": "^[A-Za-z0-9_.-]+\\.[A-Za-z0-9_-]+$"]

    private static func reference(_ name: String) -> JSONValue { ["$ref": .string("#/components/schemas/\(name)")] }
    private static func list(_ name: String) -> JSONValue { ["type": "array", "items": reference(name)] }
    private static func orNull(_ schema: JSONValue) -> JSONValue { ["anyOf": [schema, ["type": "null"]]] }

    private static func object(_ properties: JSONValue, required: String...) -> JSONValue {
        ["type": "object", "properties": properties, "required": .array(required.map(JSONValue.string))]
    }

    /// With these members and no others.
    private static func strict(_ properties: JSONValue) -> JSONValue {
        [
            "type": "object", "properties": properties, "required": .array(properties.members.keys.map(JSONValue.string)),
            "additionalProperties": false,
        ]
    }

    private static func operation(_ names: JSONValue, needs member: String) -> JSONValue {
        ["if": ["properties": ["op": ["enum": names]]], "then": ["required": [.string(member)]]]
    }
}
