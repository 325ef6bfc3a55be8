import Dispatch
import Foundation
import PlueConfig
import SystemPackage
import Testing

@testable import PlueSecrets

@Suite struct `An opener` {
    let first: DataKey

    init() throws { first = try .counting(from: 0) }

    private func place(_ number: Int) -> ValuePlace { .database.with(\.key, "k\(number)") }

    /// An opener of a keyring in a directory, and some values sealed with it.
    private func withOpener(values: Int, _ body: (SecretOpener, [String]) throws -> Void) throws {
        try withScratch { root in
            let file = KeyringFile(root.appending("keyring"))
            try file.create(Keyring(first, created: .someDay))
            let opener = SecretOpener(file)
            try body(opener, try (0..<values).map { try opener.sealed(Secret("value \($0)"), at: place($0)) })
        }
    }

    private func rotate(_ opener: SecretOpener) throws -> DataKey {
        let reading = try opener.file.read()
        var keyring = reading.keyring
        let key = DataKey()
        try keyring.add(key, created: .someDay)
        try keyring.promote(key.id)
        try opener.file.replace(reading, with: keyring)
        try opener.reload()
        return key
    }

    @Test func `Opens what did not change once`() throws {
        try withOpener(values: 50) { opener, tokens in
            for _ in 0..<3 {
                for (number, token) in tokens.enumerated() {
                    #expect(try opener.open(token, at: place(number)).exposed == "value \(number)")
                }
            }
            #expect(opener.openings == 50)
            // Reading the same keyring again changes nothing; another key is another keyring, under which the old values are the same.
            #expect(try opener.reload() == false)
            _ = try rotate(opener)
            for (number, token) in tokens.enumerated() { _ = try opener.open(token, at: place(number)) }
            #expect(opener.openings == 50)
            let changed = try opener.sealed(Secret("changed"), at: place(7))
            #expect(try opener.open(changed, at: place(7)).exposed == "changed")
            #expect(opener.openings == 51)
        }
    }

    @Test func `Does not open at another place what it remembers`() throws {
        try withOpener(values: 1) { opener, tokens in
            _ = try opener.open(tokens[0], at: place(0))
            #expect(throws: OpeningError.notForThisPlace(first.id, place(1))) { try opener.open(tokens[0], at: place(1)) }
            #expect(try opener.open(tokens[0], at: place(0)).exposed == "value 0")
            #expect(opener.openings == 1)
            #expect(throws: OpeningError.malformed(.notEncrypted)) { try opener.open("plain", at: place(0)) }
        }
    }

    @Test func `Forgets what a retired key sealed`() throws {
        try withOpener(values: 3) { opener, tokens in
            for (number, token) in tokens.enumerated() { _ = try opener.open(token, at: place(number)) }
            _ = try rotate(opener)
            let new = try opener.sealed(Secret("new"), at: place(9))
            _ = try opener.open(new, at: place(9))
            #expect(opener.remembered == 4)
            let reading = try opener.file.read()
            var keyring = reading.keyring
            try keyring.retire(first.id, neededBy: [])
            try opener.file.replace(reading, with: keyring)
            // Until it is read again, nothing is different.
            #expect(try opener.open(tokens[0], at: place(0)).exposed == "value 0")
            let digest = opener.digest
            #expect(try opener.reload())
            #expect(opener.digest != digest)
            #expect(opener.remembered == 1)
            #expect(throws: OpeningError.retiredKey(first.id)) { try opener.open(tokens[0], at: place(0)) }
            #expect(try opener.open(new, at: place(9)).exposed == "new")
        }
    }

    @Test func `Forgets what is not asked for any more`() throws {
        try withOpener(values: 10) { opener, tokens in
            for (number, token) in tokens.enumerated() { _ = try opener.open(token, at: place(number)) }
            opener.forgetUnused()
            for (number, token) in tokens.prefix(4).enumerated() { _ = try opener.open(token, at: place(number)) }
            #expect(opener.remembered == 10)
            opener.forgetUnused()
            #expect(opener.remembered == 4)
            #expect(opener.openings == 10)
        }
    }

    @Test func `Remembers no more than its bounds, and drops what is old first`() throws {
        let keyring = Keyring(first, created: .someDay)
        var opened = OpenedValues()
        (opened.most, opened.mostBytes) = (4, 1000)
        func remember(_ text: String, _ number: Int) throws -> EncryptedValue {
            let value = try keyring.seal(Secret(text), at: place(number))
            opened.remember(Secret(text), of: value, at: place(number))
            return value
        }
        let old = try (0..<4).map { try remember("\($0)", $0) }
        _ = try remember("more", 5)
        #expect(opened.count == 4)
        opened.forgetUnused()
        #expect(opened.secret(of: old[1], at: place(1)) != nil)
        _ = try remember("new", 6)
        #expect(opened.count == 2)
        #expect(opened.secret(of: old[1], at: place(1)) != nil && opened.secret(of: old[0], at: place(0)) == nil)
        _ = try remember(String(repeating: "x", count: 996), 7)
        #expect(opened.count == 3)
        _ = try remember("one byte too many", 8)
        #expect(opened.count == 3)
        opened.keep([])
        #expect(opened.count == 0)
        _ = try remember(String(repeating: "x", count: 1000), 7)
        #expect(opened.count == 1)
    }

    @Test func `Keeps the old value for the text that it holds`() throws {
        try withOpener(values: 1) { opener, tokens in
            #expect(try opener.sealed(Secret("value 0"), at: place(0), keeping: tokens[0]) == tokens[0])
            let changed = try opener.sealed(Secret("value 1"), at: place(0), keeping: tokens[0])
            #expect(changed != tokens[0])
            #expect(try opener.open(changed, at: place(0)).exposed == "value 1")
            for useless in ["", "plain", "enc:v1:", try opener.sealed(Secret("value 0"), at: place(1))] {
                let sealed = try opener.sealed(Secret("value 0"), at: place(0), keeping: useless)
                #expect(try opener.open(sealed, at: place(0)).exposed == "value 0")
            }
            _ = try rotate(opener)
            #expect(try opener.sealed(Secret("value 0"), at: place(0), keeping: tokens[0]) == tokens[0])
        }
    }

    @Test func `Without a keyring says why, and is well once there is one`() throws {
        try withScratch { root in
            let file = KeyringFile(root.appending("keyring"))
            let token = try Keyring(first, created: .someDay).seal(Secret("x"), at: .database).description
            let opener = SecretOpener(file)
            #expect(opener.problem == .missing(file.path))
            #expect(opener.digest == "none")
            #expect(throws: OpeningError.noKeyring(.missing(file.path))) { try opener.open(token, at: .database) }
            #expect(throws: SealingError.noKeyring(.missing(file.path))) { try opener.sealed(Secret("x"), at: .database) }
            #expect(throws: KeyringFileError.missing(file.path)) { try opener.reload() }
            try write(KeyringTexts.good, to: file.path, mode: 0o644)
            #expect(throws: KeyringFileError.self) { try opener.reload() }
            #expect(throws: OpeningError.noKeyring(.openToOthers(file.path, mode: 0o644, allowed: 0o600))) {
                try opener.open(token, at: .database)
            }
            chmod(file.path.string, 0o600)
            #expect(try opener.reload())
            #expect(opener.problem == nil)
            #expect(try opener.open(token, at: .database).exposed == "x")
        }
    }

    @Test func `Keeps its keyring when the file cannot be read any more`() throws {
        try withOpener(values: 1) { opener, tokens in
            let digest = opener.digest
            chmod(opener.file.path.string, 0o644)
            #expect(throws: KeyringFileError.self) { try opener.reload() }
            try write("[key.", to: opener.file.path)
            #expect(throws: KeyringFileError.self) { try opener.reload() }
            unlink(opener.file.path.string)
            #expect(throws: KeyringFileError.missing(opener.file.path)) { try opener.reload() }
            #expect(opener.problem == nil && opener.digest == digest)
            #expect(try opener.open(tokens[0], at: place(0)).exposed == "value 0")
        }
    }

    @Test func `Opens for many at once while its keyring changes`() throws {
        try withOpener(values: 20) { opener, tokens in
            DispatchQueue.concurrentPerform(iterations: 4) { worker in
                for round in 0..<10 {
                    if worker == 0 {
                        #expect(throws: Never.self) { try rotate(opener) }
                    } else {
                        for (number, token) in tokens.enumerated() {
                            #expect((try? opener.open(token, at: place(number)))?.exposed == "value \(number)", "round \(round)")
                        }
                    }
                }
            }
            #expect(opener.keyring?.entries.count == 11)
        }
    }
}
