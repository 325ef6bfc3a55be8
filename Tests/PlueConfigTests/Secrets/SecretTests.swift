import Foundation
import TestGround
import Testing

@testable import PlueConfig

private enum Planted {
    static let canary = "canary-5f0b1c"
    static let pin = 777_123_777
}

@Suite struct `A secret` {
    private struct Account {
        var name = "db"
        var password = Secret(Planted.canary)
        var old: Secret<String>? = Secret(Planted.canary)
        var keys = [Secret([Planted.canary, "second"])]
        var pin = Secret(Planted.pin)
    }

    private enum Refusal: Error {
        case wrong(Secret<String>)
        case named(password: Secret<String>, Account)
    }

    private final class Session: Sendable {
        let token = Secret(Planted.canary)
        let value = Secret(PlainValue.list([.string(Planted.canary), .integer(Planted.pin)]))
    }

    /// Everything Swift can say of a value without being asked for its secret.
    private func everythingSaid(of value: Any) -> String {
        var text = "\(value) "
        print(value, to: &text)
        debugPrint(value, to: &text)
        dump(value, to: &text)
        text += String(describing: value) + String(reflecting: value)
        func walk(_ value: Any, _ depth: Int) {
            guard depth < 8 else { return }
            for child in Mirror(reflecting: value).children {
                text += "\(child.label ?? "") \(child.value) \(String(reflecting: child.value)) "
                walk(child.value, depth + 1)
            }
        }
        walk(value, 0)
        if let error = value as? any Error { text += error.localizedDescription + "\(error as NSError) \((error as NSError).userInfo)" }
        return text
    }

    @Test func `Is said by nothing that can print it`() {
        let secret = Secret(Planted.canary)
        let values: [Any] = [
            secret, Secret(Planted.pin), Secret([Planted.canary]), Secret(PlainValue.string(Planted.canary)),
            Secret(Account()), Account(), [Account()], [secret], ["key": secret], secret as Secret<String>? as Any,
            Optional(Optional(secret)) as Any, (secret, 1), (label: secret, Account()), Refusal.wrong(secret),
            Refusal.named(password: secret, Account()), Session(), Result<Secret<String>, Refusal>.success(secret),
            Result<Int, Refusal>.failure(.wrong(secret)), [secret][...], SettingContent.secret(Secret(.string(Planted.canary))),
        ]
        for value in values {
            let text = everythingSaid(of: value)
            #expect(!text.contains("canary") && !text.contains("777"), "\(type(of: value)): \(text)")
        }
        // The test sees what is not covered.
        #expect(everythingSaid(of: [("x", Planted.canary)]).contains("canary"))
    }

    @Test func `Gives its value back as it was`() throws {
        for text in [
            "", "x", "exactly fifteen", "sixteen letters!", "ünïcödé 🔑 e\u{301}", "a\0b", String(repeating: "long ", count: 50_000),
        ] {
            #expect(Secret(text).withExposed { Array($0.utf8) } == Array(text.utf8))
            #expect(Secret(text).withExposedBytes { Array($0) } == Array(text.utf8))
            #expect(Secret(PlainValue.string(text)).withExposed(\.self) == .string(text))
        }
        let values: [PlainValue] = [.boolean(true), .integer(-7), .number(0.5), .list([]), .list([.string("a"), .list([.integer(1)])])]
        for value in values { #expect(Secret(value).withExposed(\.self) == value) }
        #expect(Secret(["a", "", "b, c"]).withExposed(\.self) == ["a", "", "b, c"])
        #expect(Secret(42).withExposed(\.self) == 42)
        #expect(Secret(String?.some("x")).withExposed(\.self) == "x")
        #expect(Secret(String?.none).withExposed(\.self) == nil)
        #expect(Secret<any Sendable>("x").withExposed { $0 as? String } == "x")
        // Made where its type is not known, as a schema does.
        func made<Value: SettingValue>(_ value: Value) -> Secret<Value> { Secret(value) }
        #expect(made("generic").withExposedBytes(\.count) == 7)
        #expect(made(["generic"]).withExposed(\.self) == ["generic"])
        // What the body throws comes out, as it is.
        #expect(throws: CancellationError.self) { try Secret("x").withExposed { _ in throw CancellationError() } }
        #expect(throws: CancellationError.self) { try Secret("x").withExposedBytes { _ in throw CancellationError() } }
    }

    @Test func `Is made from bytes only if they are text`() {
        func secret(_ bytes: [UInt8]) -> Secret<String>? { bytes.withUnsafeBytes { Secret(utf8: $0) } }
        for text in ["", "plain", "ü🔑", "\0"] { #expect(secret(Array(text.utf8))?.withExposed(\.self) == text) }
        for bytes: [UInt8] in [[0xFF], [0xC3], [0x61, 0x80], [0xED, 0xA0, 0x80], [0xC0, 0x80], [0xF4, 0x90, 0x80, 0x80], [0xF0, 0x9F]] {
            #expect(secret(bytes) == nil)
        }
        var generator = SeededGenerator(seed: 3)
        for _ in 0..<2_000 {
            let bytes = (0..<Int.random(in: 0..<6, using: &generator)).map { _ in UInt8.random(in: .min ... .max, using: &generator) | 0x40
            }
            #expect((secret(bytes) == nil) == (String(validating: bytes, as: UTF8.self) == nil), "\(bytes)")
        }
    }

    @Test func `Equals another by its bytes`() {
        #expect(Secret("same") == Secret("same"))
        #expect(Secret("") == Secret(""))
        for other in ["", "Same", "sam", "same ", "s\u{0}me"] { #expect(Secret("same") != Secret(other)) }
        // One String to Swift, two passwords to a server.
        #expect(Secret("\u{E9}") != Secret("e\u{301}"))
        #expect(Secret(5) == Secret(5))
        #expect(Secret(5) != Secret(6))
        #expect(Secret(["a", "b"]) == Secret(["a", "b"]))
        #expect(Secret(["a", "b"]) != Secret(["a", "c"]))
        #expect(Secret(["a", "b"]) != Secret(["a, b"]))
        #expect(Secret(PlainValue.string("x")).isSame(as: Secret(PlainValue.string("x"))))
        #expect(!Secret(PlainValue.string("x")).isSame(as: Secret(PlainValue.string("y"))))
        #expect(Secret(PlainValue.integer(1)).isSame(as: Secret(PlainValue.integer(1))))
        #expect(!Secret(PlainValue.integer(1)).isSame(as: Secret(PlainValue.integer(2))))
        // Made in two ways, the same secret.
        #expect(Array("same".utf8).withUnsafeBytes { Secret(utf8: $0) } == Secret("same"))
    }

    @Test func `Has the fingerprint it always had`() {
        let fingerprints = Fingerprints(key: Array(repeating: 7, count: 32))
        #expect(fingerprints.fingerprint(of: Secret(.string("x"))) == fingerprints.fingerprint(of: Secret(.string("x"))))
        #expect(fingerprints.fingerprint(of: Secret(.integer(12))) == fingerprints.fingerprint(of: Secret(.string("12"))))
        #expect(fingerprints.fingerprint(of: Secret(.string("x"))) != fingerprints.fingerprint(of: Secret(.string("y"))))
        // HMAC-SHA256 of "x" under 32 bytes of 7, by another program.
        #expect(fingerprints.fingerprint(of: Secret(.string("x"))) == "hmac:5b29e7ebdee0465c")
    }

    @Test func `Is kept once, however often it is copied`() {
        let secret = Secret("shared text")
        let copies = (0..<10).map { _ in secret }
        let places = Set(copies.map { $0.withExposedBytes { Int(bitPattern: $0.baseAddress) } })
        #expect(places.count == 1)
    }

    @Test func `Is gone from its place with its last copy`() throws {
        // Neighbours keep the page where it is.
        let neighbours = (0..<4).map { Secret("neighbour number \($0)") }
        var secret: Secret<String>? = Secret("erase me at once!")
        let place = try #require(secret?.withExposedBytes { $0 })
        var copy = secret
        secret = nil
        #expect(place.elementsEqual("erase me at once!".utf8))
        #expect(copy?.withExposedBytes { $0.baseAddress == place.baseAddress } == true)
        copy = nil
        // Another test's secret may be there by now; this one is not.
        #expect(!place.elementsEqual("erase me at once!".utf8))
        #expect(neighbours.map { $0.withExposed(\.self) } == (0..<4).map { "neighbour number \($0)" })
    }
}
