/// What names that match a pattern are, in a section of an imported schema.
public struct NamePattern: Sendable {
    /// A name matches that contains a match.
    public let pattern: RegularExpression
    /// What keys of that name are; `nil` when sections have it.
    public let setting: SettingModel?
    /// What sections of that name are.
    public let section: Indirect<SectionModel>?

    init(_ pattern: RegularExpression, setting: SettingModel) {
        self.pattern = pattern
        self.setting = setting
        section = nil
    }

    init(_ pattern: RegularExpression, section: SectionModel) {
        self.pattern = pattern
        setting = nil
        self.section = Indirect(section)
    }
}
