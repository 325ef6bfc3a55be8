import HTTPTypes
import OrderedCollections
import PlueConfig

/// The API as an OpenAPI 3.1 document, made from the routes: what is not described there does not exist.
enum OpenAPI {
    /// - Parameter sections: The sections that there can be.
    static func document(of routes: [Route], sections: [String]) -> JSONValue {
        var paths: JSONValue = [:]
        for route in routes {
            for path in route.operation.paths ?? [template(route.path)] {
                var item = paths[path] ?? [:]
                item[route.method.rawValue.lowercased()] = operation(route, at: path)
                paths[path] = item
            }
        }
        return [
            "openapi": "3.1.0",
            "info": [
                "title": "Plue", "version": "1",
                "description":
                    "Change a running server's configuration the way you commit to a database: checked, atomic, audited, reversible.",
                "license": ["name": "Apache-2.0", "identifier": "Apache-2.0"],
            ],
            "servers": [["url": "/"]],
            "security": [["token": []]],
            "paths": paths,
            "components": [
                "securitySchemes": ["token": ["type": "http", "scheme": "bearer", "description": "A token of 'plue token create'."]],
                "schemas": OpenAPISchemas.all(sections: sections),
            ],
        ]
    }

    /// `/v1/versions/:version` → `/v1/versions/{version}`
    private static func template(_ path: String) -> String {
        path.split(separator: "/").map { $0.hasPrefix(":") ? "/{\($0.dropFirst())}" : "/\($0)" }.joined()
    }

    private static func operation(_ route: Route, at path: String) -> JSONValue {
        let call = route.operation
        let names = path.split(separator: "/").filter { $0.hasPrefix("{") }.map { String($0.dropFirst().dropLast()) }
        let depth = route.operation.paths.map { $0.firstIndex(of: path) ?? 0 } ?? 0
        return JSONValue([
            "operationId": .string(call.id + (depth == 0 ? "" : "\(depth + 1)")),
            "summary": .string(call.summary),
            "parameters": .array(names.map(pathParameter) + call.query.map(queryParameter) + call.headers.map(header)),
            "requestBody": call.body.map(body),
            "responses": responses(route),
            "security": route.access == .anyone ? [] : nil,
            "x-plue-role": role(route.access).map(JSONValue.string),
        ])
    }

    private static func role(_ access: Route.Access) -> String? {
        if case .least(let role) = access { role.rawValue } else { nil }
    }

    private static func pathParameter(_ name: String) -> JSONValue {
        let schema: JSONValue =
            ["version", "other"].contains(name)
            ? ["type": "integer", "minimum": 1, "maximum": .integer(Int(Int32.max))]
            : ["type": "string", "minLength": 1, "pattern": "^[A-Za-z0-9_.-]+$"]
        return ["name": .string(name), "in": "path", "required": true, "schema": schema]
    }

    private static func queryParameter(_ parameter: Operation.Parameter) -> JSONValue {
        let schema: JSONValue =
            switch parameter.form {
            case .flag: ["type": "boolean"]
            case .integer(let range): ["type": "integer", "minimum": .integer(range.lowerBound), "maximum": .integer(range.upperBound)]
            case .duration: ["type": "string", "pattern": "^[1-9][0-9]{0,3}s$", "examples": ["60s"]]
            case .text(let most): ["type": "string", "maxLength": .integer(most), "pattern": "^[^\\u0000-\\u001f\\u007f-\\u009f]*$"]
            }
        return [
            "name": .string(parameter.name), "in": "query", "required": false, "description": .string(parameter.summary), "schema": schema,
        ]
    }

    private static func header(_ header: Operation.Header) -> JSONValue {
        let tag: JSONValue = ["anyOf": [["const": "*"], ["type": "string", "pattern": "^\"v[1-9][0-9]{0,8}\"$"]]]
        let (name, isRequired, text, schema): (String, Bool, String, JSONValue) =
            switch header {
            case .ifMatch: ("If-Match", true, "The version that the change was made for, \"v42\", or * for any.", tag)
            case .ifMatchWhenGiven: ("If-Match", false, "Refused when another version runs.", tag)
            case .ifNoneMatch:
                ("If-None-Match", false, "Answered with 304 when it still is the one.", ["type": "string"])
            case .idempotencyKey:
                (
                    "Idempotency-Key", false, "The same request with the same key is answered again and not made again, for a day.",
                    ["type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]+$"]
                )
            case .lastEventID:
                ("Last-Event-ID", false, "The last event's id, to go on after it.", ["type": "string"])
            }
        return ["name": .string(name), "in": "header", "required": .boolean(isRequired), "description": .string(text), "schema": schema]
    }

    private static func body(_ body: Operation.Body) -> JSONValue {
        func reference(_ name: String) -> JSONValue { ["schema": ["$ref": .string("#/components/schemas/\(name)")]] }
        let changes: JSONValue = [
            ChangeBody.mergePatch: reference("MergePatch"), JSONPatch.mediaType: reference("JSONPatch"),
            EditsJSON.mediaType: reference("Edits"),
        ]
        switch body {
        case .change: return ["required": true, "content": changes]
        case .candidate:
            var content = changes
            content[ChangeBody.documents] = reference("DocumentTexts")
            return ["required": false, "content": content]
        case .document: return ["required": true, "content": ["text/plain": ["schema": ["type": "string", "minLength": 1]]]]
        case .json(let name): return ["required": true, "content": ["application/json": reference(name)]]
        }
    }

    private static func responses(_ route: Route) -> JSONValue {
        let call = route.operation
        var content: JSONValue = [:]
        if !call.answer.mediaType.isEmpty {
            let schema: JSONValue = call.answer.schema.map { ["$ref": .string("#/components/schemas/\($0)")] } ?? ["type": "string"]
            content[call.answer.mediaType] = ["schema": schema]
        }
        var success: JSONValue = ["description": "Done."]
        if !content.members.isEmpty { success["content"] = content }
        if call.query.contains(.dryRun) {
            success["content"] = [
                "application/json": [
                    "schema": ["anyOf": [["$ref": "#/components/schemas/Changed"], ["$ref": "#/components/schemas/Plan"]]]
                ]
            ]
        }
        var responses: JSONValue = [:]
        responses[String(call.answer.status)] = success
        if call.query.contains(.replacePending) {
            responses["202"] = [
                "description": "Somebody else has to approve it; nothing is changed yet.",
                "content": ["application/json": ["schema": ["$ref": "#/components/schemas/Proposed"]]],
            ]
        }
        if call.headers.contains(.ifNoneMatch) { responses["304"] = ["description": "What the client has is still right."] }
        var statuses = Set(call.refusals + [400, 421])
        if call.headers.contains(.idempotencyKey) { statuses.insert(422) }
        if route.access != .anyone { statuses.formUnion([401, 403, 409, 429]) }
        for status in statuses.sorted() {
            responses[String(status)] = [
                "description": .string(HTTPResponse.Status(code: status).reasonPhrase),
                "content": ["application/problem+json": ["schema": ["$ref": "#/components/schemas/Problem"]]],
            ]
        }
        return responses
    }
}
