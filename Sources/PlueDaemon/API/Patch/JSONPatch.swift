import OrderedCollections
import PlueConfig

/// Operations on a JSON document, all or none: `application/json-patch+json` (RFC 6902).
struct JSONPatch: Sendable {
    static let mediaType = "application/json-patch+json"
    /// More operations than this are no patch but a mistake.
    private static let mostOperations = 10_000

    enum Operation: Sendable {
        case add(JSONPointer, JSONValue)
        case remove(JSONPointer)
        case replace(JSONPointer, JSONValue)
        case move(from: JSONPointer, JSONPointer)
        case copy(from: JSONPointer, JSONPointer)
        case test(JSONPointer, JSONValue)
    }

    let operations: [Operation]

    /// Why a text is no patch.
    struct Malformed: Error, CustomStringConvertible {
        let description: String
    }

    /// Why a patch does not fit the document it was made for. Never holds a value.
    struct Misfit: Error, CustomStringConvertible {
        /// Counted from 0.
        let operation: Int
        let description: String
    }

    init(_ json: JSONValue) throws(Malformed) {
        guard case .array(let elements) = json else { throw Malformed(description: "a JSON Patch is a list of operations") }
        guard elements.count <= Self.mostOperations else {
            throw Malformed(description: "a JSON Patch has at most \(Self.mostOperations) operations")
        }
        var operations: [Operation] = []
        for (index, element) in elements.enumerated() {
            guard let operation = Self.operation(element) else {
                throw Malformed(
                    description:
                        "operation \(index) is not one of add, replace, test (with path and value), remove (with path), move, copy (with from and path)"
                )
            }
            operations.append(operation)
        }
        self.operations = operations
    }

    private static func operation(_ json: JSONValue) -> Operation? {
        guard case .object = json, let path = json["path"]?.string.flatMap(JSONPointer.init) else { return nil }
        let from = json["from"]?.string.flatMap(JSONPointer.init)
        switch (json["op"]?.string, json["value"], from) {
        case ("add", let value?, _): return .add(path, value)
        case ("replace", let value?, _): return .replace(path, value)
        case ("test", let value?, _): return .test(path, value)
        case ("remove", _, _): return .remove(path)
        case ("move", _, let from?): return .move(from: from, path)
        case ("copy", _, let from?): return .copy(from: from, path)
        default: return nil
        }
    }

    /// The document after all operations.
    /// - Throws: ``Misfit`` for the first that does not fit; nothing has been changed then.
    func applied(to document: JSONValue) throws(Misfit) -> JSONValue {
        var document = document
        for (index, operation) in operations.enumerated() {
            guard let problem = Self.carryOut(operation, on: &document) else { continue }
            throw Misfit(operation: index, description: "operation \(index) does not fit: \(problem)")
        }
        return document
    }

    /// - Returns: What is wrong; `nil` when it was carried out.
    private static func carryOut(_ operation: Operation, on document: inout JSONValue) -> String? {
        switch operation {
        case .add(let path, let value):
            return document.put(value, at: path.tokens[...], isNew: true) ? nil : "nothing can be added at '\(path)'"
        case .remove(let path):
            return document.take(at: path.tokens[...]) == nil ? "there is nothing at '\(path)'" : nil
        case .replace(let path, let value):
            guard document.value(at: path.tokens[...]) != nil else { return "there is nothing at '\(path)'" }
            return document.put(value, at: path.tokens[...], isNew: false) ? nil : "nothing can be put at '\(path)'"
        case .move(let from, let path):
            guard !from.contains(path) else { return "'\(from)' cannot be moved into itself" }
            guard let value = document.take(at: from.tokens[...]) else { return "there is nothing at '\(from)'" }
            return document.put(value, at: path.tokens[...], isNew: true) ? nil : "nothing can be added at '\(path)'"
        case .copy(let from, let path):
            guard let value = document.value(at: from.tokens[...]) else { return "there is nothing at '\(from)'" }
            return document.put(value, at: path.tokens[...], isNew: true) ? nil : "nothing can be added at '\(path)'"
        case .test(let path, let value):
            guard let found = document.value(at: path.tokens[...]) else { return "there is nothing at '\(path)'" }
            return found.isEqual(to: value) ? nil : "'\(path)' holds another value than the one tested for"
        }
    }
}

extension JSONValue {
    fileprivate func value(at path: ArraySlice<String>) -> JSONValue? {
        guard let first = path.first else { return self }
        switch self {
        case .object(let members): return members[first]?.value(at: path.dropFirst())
        case .array(let items):
            guard let index = Self.index(first, below: items.count) else { return nil }
            return items[index].value(at: path.dropFirst())
        default: return nil
        }
    }

    /// - Parameter isNew: Whether a list makes room for the value instead of giving up the one that is there.
    /// - Returns: Whether there is such a place.
    fileprivate mutating func put(_ value: JSONValue, at path: ArraySlice<String>, isNew: Bool) -> Bool {
        guard let first = path.first else {
            self = value
            return true
        }
        let rest = path.dropFirst()
        switch self {
        case .object(var members):
            if rest.isEmpty {
                members[first] = value
            } else {
                guard var child = members[first], child.put(value, at: rest, isNew: isNew) else { return false }
                members[first] = child
            }
            self = .object(members)
            return true
        case .array(var items):
            if rest.isEmpty, isNew {
                guard let index = first == "-" ? items.count : Self.index(first, below: items.count + 1) else { return false }
                items.insert(value, at: index)
            } else {
                guard let index = Self.index(first, below: items.count), items[index].put(value, at: rest, isNew: isNew) else {
                    return false
                }
            }
            self = .array(items)
            return true
        default: return false
        }
    }

    /// Takes a value out; `nil` when there is none.
    fileprivate mutating func take(at path: ArraySlice<String>) -> JSONValue? {
        guard let first = path.first else {
            defer { self = .null }
            return self
        }
        let rest = path.dropFirst()
        switch self {
        case .object(var members):
            let taken: JSONValue?
            if rest.isEmpty {
                taken = members.removeValue(forKey: first)
            } else {
                guard var child = members[first] else { return nil }
                taken = child.take(at: rest)
                members[first] = child
            }
            self = .object(members)
            return taken
        case .array(var items):
            guard let index = Self.index(first, below: items.count) else { return nil }
            let taken = rest.isEmpty ? items.remove(at: index) : items[index].take(at: rest)
            self = .array(items)
            return taken
        default: return nil
        }
    }

    /// A place in a list: digits, without zeros in front.
    private static func index(_ token: String, below count: Int) -> Int? {
        guard let index = Int(token), String(index) == token, (0..<count).contains(index) else { return nil }
        return index
    }
}
