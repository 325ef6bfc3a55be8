import PlueConfig
import Testing

@testable import PlueDaemon

/// RFC 6902 and RFC 6901; the examples are those of their appendices.
@Suite struct JSONPatchTests {
    private func json(_ text: String) throws -> JSONValue { try JSONValue(parsing: Array(text.utf8)) }

    private func applied(_ patch: String, to document: String) throws -> JSONValue {
        try JSONPatch(try json(patch)).applied(to: try json(document))
    }

    @Test(arguments: [
        (#"{"foo":"bar"}"#, #"[{"op":"add","path":"/baz","value":"qux"}]"#, #"{"foo":"bar","baz":"qux"}"#),
        (#"{"foo":["bar","baz"]}"#, #"[{"op":"add","path":"/foo/1","value":"qux"}]"#, #"{"foo":["bar","qux","baz"]}"#),
        (#"{"baz":"qux","foo":"bar"}"#, #"[{"op":"remove","path":"/baz"}]"#, #"{"foo":"bar"}"#),
        (#"{"foo":["bar","qux","baz"]}"#, #"[{"op":"remove","path":"/foo/1"}]"#, #"{"foo":["bar","baz"]}"#),
        (#"{"baz":"qux","foo":"bar"}"#, #"[{"op":"replace","path":"/baz","value":"boo"}]"#, #"{"baz":"boo","foo":"bar"}"#),
        (
            #"{"foo":{"bar":"baz","waldo":"fred"},"qux":{"corge":"grault"}}"#,
            #"[{"op":"move","from":"/foo/waldo","path":"/qux/thud"}]"#,
            #"{"foo":{"bar":"baz"},"qux":{"corge":"grault","thud":"fred"}}"#
        ),
        (
            #"{"foo":["all","grass","cows","eat"]}"#, #"[{"op":"move","from":"/foo/1","path":"/foo/3"}]"#,
            #"{"foo":["all","cows","eat","grass"]}"#
        ),
        (
            #"{"baz":"qux","foo":["a",2,"c"]}"#,
            #"[{"op":"test","path":"/baz","value":"qux"},{"op":"test","path":"/foo/1","value":2.0}]"#, #"{"baz":"qux","foo":["a",2,"c"]}"#
        ),
        (#"{"foo":"bar"}"#, #"[{"op":"add","path":"/child","value":{"grandchild":{}}}]"#, #"{"foo":"bar","child":{"grandchild":{}}}"#),
        (#"{"foo":"bar"}"#, #"[{"op":"add","path":"/baz","value":"qux","xyz":123}]"#, #"{"foo":"bar","baz":"qux"}"#),
        (
            #"{"/":9,"~1":10}"#, #"[{"op":"test","path":"/~01","value":10},{"op":"copy","from":"/~1","path":"/x"}]"#,
            #"{"/":9,"~1":10,"x":9}"#
        ),
        (#"{"foo":["bar"]}"#, #"[{"op":"add","path":"/foo/-","value":["abc","def"]}]"#, #"{"foo":["bar",["abc","def"]]}"#),
        (#"{"a":1}"#, #"[{"op":"replace","path":"","value":{"b":2}}]"#, #"{"b":2}"#),
    ])
    func `An operation does what the RFC says`(_ document: String, _ patch: String, _ result: String) throws {
        let applied = try applied(patch, to: document)
        #expect(applied.isEqual(to: try json(result)), "\(applied)")
    }

    @Test(arguments: [
        (#"{"baz":"qux"}"#, #"[{"op":"test","path":"/baz","value":"bar"}]"#),
        (#"{"foo":"bar"}"#, #"[{"op":"add","path":"/baz/bat","value":"qux"}]"#),
        (#"{"foo":[1]}"#, #"[{"op":"add","path":"/foo/3","value":2}]"#),
        (#"{"foo":[1]}"#, #"[{"op":"remove","path":"/foo/-"}]"#),
        (#"{"foo":[1]}"#, #"[{"op":"remove","path":"/foo/00"}]"#),
        (#"{"foo":1}"#, #"[{"op":"replace","path":"/bar","value":2}]"#),
        (#"{"foo":{"bar":1}}"#, #"[{"op":"move","from":"/foo","path":"/foo/bar"}]"#),
        (#"{"/":9,"~1":10}"#, #"[{"op":"test","path":"/~01","value":"10"}]"#),
        (#"{"a":1}"#, #"[{"op":"add","path":"/b","value":1},{"op":"test","path":"/a","value":2}]"#),
    ])
    func `What does not fit is refused, without a value in the reason`(_ document: String, _ patch: String) throws {
        #expect(throws: JSONPatch.Misfit.self) { try applied(patch, to: document) }
    }

    @Test(arguments: [
        "{}", "[1]", #"[{"op":"add","path":"x","value":1}]"#, #"[{"op":"add","path":"/~2","value":1}]"#, #"[{"op":"add","path":"/x"}]"#,
        #"[{"op":"move","path":"/x"}]"#, #"[{"path":"/x"}]"#, #"[{"op":"spam","path":"/x","value":1}]"#,
    ])
    func `What is no patch is malformed`(_ text: String) throws {
        #expect(throws: JSONPatch.Malformed.self) { try JSONPatch(try json(text)) }
    }
}
