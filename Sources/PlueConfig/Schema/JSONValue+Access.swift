public import OrderedCollections

extension JSONValue {
    /// A member of an object; `nil` when there is none, or when the value is no object. Setting one makes it an object.
    public subscript(name: String) -> JSONValue? {
        get { if case .object(let members) = self { members[name] } else { nil } }
        set {
            var members = members
            members[name] = newValue
            self = .object(members)
        }
    }

    /// A member of an object, or the default when there is none.
    public subscript(name: String, default fallback: JSONValue) -> JSONValue {
        get { self[name] ?? fallback }
        set { self[name] = newValue }
    }

    /// An object's members in order; none when the value is no object.
    public var members: OrderedDictionary<String, JSONValue> {
        if case .object(let members) = self { members } else { [:] }
    }

    /// An array's elements; none when the value is no array.
    public var elements: [JSONValue] {
        if case .array(let elements) = self { elements } else { [] }
    }

    /// The text of a string; `nil` when the value is none.
    public var string: String? {
        if case .string(let text) = self { text } else { nil }
    }

    /// The whole number; `nil` when the value is none.
    public var integer: Int? {
        if case .integer(let number) = self { number } else { nil }
    }

    /// The truth value; `nil` when the value is none.
    public var boolean: Bool? {
        if case .boolean(let flag) = self { flag } else { nil }
    }

    /// The object with the members that have a value.
    public init(_ members: KeyValuePairs<String, JSONValue?>) {
        var object: OrderedDictionary<String, JSONValue> = [:]
        for (name, value) in members { if let value { object[name] = value } }
        self = .object(object)
    }
}
