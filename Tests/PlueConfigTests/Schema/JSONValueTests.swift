import Testing

@testable import PlueConfig

@Suite("JSON text")
struct JSONValueTextTests {
    @Test("Strings are escaped so that they are JSON, and safe on a terminal")
    func strings() {
        let value: JSONValue = "a\"\\/\n\r\t\u{1B}\u{7F}\u{9B}\u{202E}é🦎\u{E0041}"
        #expect(value.text() == #""a\"\\/\n\r\t\u001b\u007f\u009b\u202eé🦎\udb40\udc41""#)
    }

    @Test("Numbers are written exactly, and what JSON has no number for is null")
    func numbers() {
        #expect(
            JSONValue.array([.integer(.min), .integer(.max), 0.1, 5.0, .number(.nan), .number(.infinity), 1e300]).text()
                == "[-9223372036854775808,9223372036854775807,0.1,5.0,null,null,1e+300]")
    }

    @Test("Indented text has one member a line, and none for what is empty")
    func indented() {
        let value: JSONValue = ["a": [1, [:], []], "b": nil]
        #expect(value.text(indented: true) == "{\n  \"a\": [\n    1,\n    {},\n    []\n  ],\n  \"b\": null\n}")
        #expect(value.text() == #"{"a":[1,{},[]],"b":null}"#)
    }
}
