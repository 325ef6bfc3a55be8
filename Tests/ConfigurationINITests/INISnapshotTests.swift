import Configuration
import ConfigurationINI
import ConfigurationTesting
import Foundation
import PlueDocuments
import SystemPackage
import Testing

/// INI files read by swift-configuration's own file provider.
@Suite struct INISnapshotTests {
    @Test func `An INI file passes swift-configuration's own suite`() async throws {
        let provider = try await provider(
            """
            # Bytes are base64.
            [compat]
            string = Hello
            int = 42
            double = 3.14
            bool = true
            bytes = bWFnaWM=
            [compat.stringy]
            array = Hello, "World"
            [compat.inty]
            array = 42, 24
            [compat.doubly]
            array = 3.14, 2.72
            [compat.booly]
            array = true, false
            [compat.byteChunky]
            array = bWFnaWM=, bWFnaWMy
            [compat.other]
            string = 'Other Hello'
            int = 24
            double = 2.72
            bool = off
            bytes = bWFnaWMy
            [compat.other.stringy]
            array = Hello, Swift
            [compat.other.inty]
            array = 16, 32
            [compat.other.doubly]
            array = 0.9, 1.8
            [compat.other.booly]
            array = no, YES, on
            [compat.other.byteChunky]
            array = bWFnaWM=, bWFnaWMy, bWFnaWM=
            """)
        // A key outside any section does not exist in a document, so the suite's keys stand in one.
        try await ProviderCompatTest(provider: provider.prefixKeys(with: "compat")).runTest()
    }

    @Test func `A file that is not INI is refused with every mistake and its place`() async throws {
        let error = await #expect(throws: INIFileError.self) { try await provider("[http]\nport: 80\nhost = a\nhost = b\n") }
        let lines = error?.description.split(separator: "\n") ?? []
        #expect(lines.count == 2)
        #expect(lines.first?.contains(":2:") == true)
        #expect(lines.last?.contains(":4:") == true)
    }

    @Test func `A value of another type is an error with its place, and not its text`() async throws {
        let provider = try await provider("[db]\n\npassword = hush-hush\n")
        let error = #expect(throws: INIValueError.self) { try provider.value(forKey: ["db", "password"], type: .int) }
        #expect(error?.description.hasSuffix(":3:12: db.password is not of type int") == true)
    }

    @Test func `A file over the limit is refused`() async throws {
        var options = INISnapshot.ParsingOptions()
        options.limits.maxBytes = 16
        await #expect(throws: INIFileError.self) { try await provider("[http]\nhost = example.org\n", options) }
    }

    @Test func `Secret values are covered wherever a snapshot is printed`() async throws {
        let provider = try await provider("[db]\nuser = app\npassword = hush-hush\n", .init(secretsSpecifier: .specific(["db.password"])))
        let value = try provider.value(forKey: ["db", "password"], type: .string)
        #expect(value.value?.content == .string("hush-hush"))
        #expect(!"\(value)".contains("hush"))
        #expect(!String(reflecting: provider.snapshot()).contains("hush"))
        #expect(String(reflecting: provider.snapshot()).contains("db.user=app"))
    }

    private func provider(_ text: String, _ options: INISnapshot.ParsingOptions = .default) async throws -> FileProvider<INISnapshot> {
        let path = FileManager.default.temporaryDirectory.appending(path: "plue-ini-\(UUID().uuidString).ini").path
        try Data(text.utf8).write(to: URL(filePath: path))
        defer { try? FileManager.default.removeItem(atPath: path) }
        return try await FileProvider<INISnapshot>(parsingOptions: options, filePath: FilePath(path))
    }
}
